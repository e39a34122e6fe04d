"""How is a selection packed? Into one archive that is the same wherever, whenever and by whomever it is packed.

Sorted names, no times, no owners, two modes, no name in the gzip header, a fixed level. What may differ is zlib:
another one packs the same files into other bytes, the package is then sent once more, and the manifest's `content`
shows that it is the same.
"""

import gzip
import hashlib
import os
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pydantic import Field

from diagnoser.errors import UsageError
from diagnoser.packages.manifest import HASH, Manifest, PackagedFile, manifest_of
from diagnoser.packages.names import printable
from diagnoser.packages.refusal import PackageError
from diagnoser.packages.selection import ChosenFile, Selection, check_size, too_large
from diagnoser.packages.sizes import LIMITS, WARN_PACKED, Limits, spelled
from diagnoser.records import Record

LEVEL = 6  # zlib's own balance; 9 takes twice as long for one part in a hundred
CHUNK = 1 << 16
CLOSED = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class Packed(Record):
    """An archive on the disk."""

    archive: str
    bytes: int
    sha256: str = Field(pattern=HASH)  # of the archive: the address under which it is sent
    manifest: Manifest

    @property
    def warning(self) -> str | None:
        """What to say of a package that is large and may be sent."""
        if self.bytes <= WARN_PACKED:
            return None
        return f"the package has {spelled(self.bytes)}; what your code does not need can be named in .diagnoserignore"


def pack(selection: Selection, archive: Path, *, limits: Limits = LIMITS) -> Packed:
    """Write the archive of a selection; raises PackageError when it is too large, and leaves no half of one."""
    check_size(selection, limits=limits)
    try:
        descriptor, name = tempfile.mkstemp(dir=archive.parent, prefix=f".{archive.name}.", suffix=".part")
    except OSError as error:
        raise UsageError(f"{archive}: cannot be written: {error.strerror}") from None
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            counted = _Counted(file, most=limits.packed)
            try:
                manifest = _write(selection, counted)
            except _FullError:
                said = f"has more than {spelled(limits.packed)} packed, and no more are taken"
                raise too_large(selection, said) from None
        unfinished.replace(archive)
    except OSError as error:
        raise UsageError(f"{archive}: cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
    return Packed(archive=str(archive), bytes=counted.written, sha256=counted.digest.hexdigest(), manifest=manifest)


class _FullError(Exception):
    """The archive has reached its limit."""


class _Counted:
    """A file that counts and hashes what is written to it, up to a limit."""

    def __init__(self, file: BinaryIO, *, most: int) -> None:
        self.written = 0
        self.digest = hashlib.sha256()
        self._file = file
        self._most = most

    def write(self, part: bytes) -> int:
        """Write a part; raises `_FullError` beyond the limit."""
        self.written += len(part)
        if self.written > self._most:
            raise _FullError
        self.digest.update(part)
        return self._file.write(part)

    def flush(self) -> None:
        """Flush the file."""
        self._file.flush()


class _Hashed:
    """A file that hashes what is read from it."""

    def __init__(self, file: BinaryIO) -> None:
        self.digest = hashlib.sha256()
        self._file = file

    def read(self, number: int) -> bytes:
        """Read a part."""
        part = self._file.read(number)
        self.digest.update(part)
        return part


def _write(selection: Selection, target: _Counted) -> Manifest:
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=target, compresslevel=LEVEL, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar,
    ):
        return manifest_of(tuple(_add(tar, file, folder=Path(selection.folder)) for file in selection.files))


def _add(tar: tarfile.TarFile, file: ChosenFile, *, folder: Path) -> PackagedFile:
    header = tarfile.TarInfo(file.path)  # time, owner and group are 0 in a new one, and their names empty
    header.size = file.bytes
    header.mode = 0o755 if file.executable else 0o644
    shown = printable(file.path)
    try:
        descriptor = os.open(folder / file.source, CLOSED)
    except OSError as error:
        raise PackageError(f"`{shown}` cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as source:
        if os.fstat(source.fileno()).st_size != file.bytes:
            raise PackageError(f"`{shown}` changed while it was being packed; try again")
        hashed = _Hashed(source)
        try:
            tar.addfile(header, hashed)  # type: ignore[arg-type]  # it only reads
        except OSError as error:
            if "unexpected end" not in str(error):
                raise
            raise PackageError(f"`{shown}` changed while it was being packed; try again") from None
    return PackagedFile(path=file.path, bytes=file.bytes, sha256=hashed.digest.hexdigest(), executable=file.executable)
