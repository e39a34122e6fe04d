"""How is a gzip file read so that it can neither surprise nor flood? One member, no names, counted bytes."""

import zlib
from typing import BinaryIO

from diagnoser.packages.refusal import PackageError

CHUNK = 1 << 16  # bytes read at once; a bomb makes at most `CHUNK` of output from one call
HEADER = b"\x1f\x8b\x08\x00"  # gzip, deflate, no flags: no name, comment, extra fields or checksum of the header
GZIP = 16 + zlib.MAX_WBITS  # zlib's way of saying "with the gzip header, and check the sum at the end"


class Inflated:
    """The bytes inside a gzip file, of which no more than `most` are given."""

    def __init__(self, file: BinaryIO, *, most: int) -> None:
        self.given = 0
        self._file = file
        self._most = most
        self._inflate = zlib.decompressobj(GZIP)
        self._first = True

    def some(self, most: int) -> bytes:
        """Give between 1 and `most` bytes; none only at the end."""
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._read()
            try:
                got = self._inflate.decompress(packed, min(most, CHUNK))
            except zlib.error:
                raise PackageError("the archive is damaged, or no gzip file") from None
            if got:
                self._count(len(got))
                return got
            if not packed:
                raise PackageError("the archive ends too early")
        return b""

    def exactly(self, number: int) -> bytes:
        """Give so many bytes; refuse when there are fewer."""
        parts = []
        while number:
            part = self.some(number)
            if not part:
                raise PackageError("the archive ends too early")
            parts.append(part)
            number -= len(part)
        return b"".join(parts)

    def finish(self) -> None:
        """Refuse whatever stands behind the end of the archive: a second member, rubbish, bytes other than zero."""
        while part := self.some(CHUNK):
            if part.strip(b"\0"):
                raise PackageError("something stands behind the end of the archive")
        if self._inflate.unused_data or self._file.read(1):
            raise PackageError("something stands behind the end of the gzip file")

    def _read(self) -> bytes:
        packed = self._file.read(CHUNK)
        if self._first and packed[: len(HEADER)] != HEADER:
            raise PackageError("the archive is no gzip file as `diagnoser pack` writes it")
        self._first = False
        return packed

    def _count(self, number: int) -> None:
        self.given += number
        if self.given > self._most:
            raise PackageError(f"the archive unpacks to more than {self._most:,} bytes")
