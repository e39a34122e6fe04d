"""What does an archive hold? Its entries, one after the other, or a refusal that names the first that may not be.

Each header is decoded by the standard library (`TarInfo.frombuf`); the loop is ours, because `tarfile`'s own is
lenient: it takes a damaged header for the end of the archive, merges what GNU and pax headers say without a trace, and
reads a header of any length into memory.
"""

import re
import tarfile
from collections.abc import Iterator

from diagnoser.packages import names
from diagnoser.packages.inflating import Inflated
from diagnoser.packages.refusal import PackageError
from diagnoser.packages.sizes import Limits
from diagnoser.records import Record

BLOCK = tarfile.BLOCKSIZE
POSIX = slice(257, 265), b"ustar\x0000"  # the one dialect that is read; GNU's has two blanks there
LONGEST_PAX = 2048  # bytes: a path of 240 characters has at most 960
PAX = re.compile(rb"(?P<length>[1-9][0-9]{0,3}) path=(?P<path>[^\0\n]+)\n")  # the one record that `pack` writes
SPECIAL = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a FIFO",
    tarfile.CONTTYPE: "a contiguous file",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    tarfile.GNUTYPE_LONGNAME: "a long name in GNU's form",
    tarfile.GNUTYPE_LONGLINK: "a long link in GNU's form",
    tarfile.XGLTYPE: "a global pax header",
}


class Entry(Record):
    """A regular file or a folder."""

    path: str
    bytes: int
    is_folder: bool
    executable: bool


def entries(archive: Inflated, *, limits: Limits) -> Iterator[Entry]:
    """Give one entry after the other; the caller takes exactly its bytes before it asks for the next."""
    path: str | None = None  # from a pax header, for the entry behind it
    left = 2 * (limits.files + limits.folders) + 1  # headers: each entry may have a pax header before it
    while any(block := archive.exactly(BLOCK)):
        left -= 1
        if not left:
            raise PackageError(f"the archive has more than {limits.files + limits.folders:,} entries")
        header = _header(block, path=path)
        if header.type == tarfile.XHDTYPE and path is None:
            path = _path_of_pax(archive, header)
            continue
        entry = _entry(header, path=path)
        path = None
        before = archive.given
        yield entry
        assert archive.given - before == entry.bytes, "the caller takes the whole entry"
        archive.exactly(-entry.bytes % BLOCK)
    if path is not None:
        raise PackageError("the archive ends with a header that belongs to no entry")
    archive.finish()


def _header(block: bytes, *, path: str | None) -> tarfile.TarInfo:
    where, magic = POSIX
    if block[where] != magic:
        raise PackageError("a header is not in the POSIX format that `diagnoser pack` writes")
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "strict" if path is None else "replace")
    except UnicodeDecodeError:
        raise PackageError("a name has bytes that are no UTF-8") from None
    except tarfile.HeaderError as error:
        raise PackageError(f"a header is damaged: {error}") from None
    if header.size < 0:
        raise PackageError(f"`{names.printable(header.name)}` has a negative size")
    return header


def _path_of_pax(archive: Inflated, header: tarfile.TarInfo) -> str:
    """Read a pax header, which may give a path and nothing else: others change sizes, links and encodings."""
    if header.size > LONGEST_PAX:
        raise PackageError(f"a pax header has {header.size:,} bytes")
    body = archive.exactly(header.size)
    archive.exactly(-header.size % BLOCK)
    found = PAX.fullmatch(body)
    if found is None or int(found["length"]) != len(body):
        raise PackageError("a pax header says something other than one path")
    try:
        return found["path"].decode()
    except UnicodeDecodeError:
        raise PackageError("a name has bytes that are no UTF-8") from None


def _entry(header: tarfile.TarInfo, *, path: str | None) -> Entry:
    name = header.name if path is None else path
    shown = names.printable(name)
    is_folder = header.type == tarfile.DIRTYPE
    if not is_folder and header.type != tarfile.REGTYPE:
        kind = SPECIAL.get(header.type, f"of the unknown kind {header.type!r}")
        raise PackageError(f"`{shown}` is {kind}; only files and folders are taken")
    if is_folder:
        name = name.removesuffix("/")
    problem = names.problem_with(name)
    if problem is not None:
        raise PackageError(f"`{shown}`: {problem}")
    if header.mode & ~0o777:
        raise PackageError(f"`{shown}` has mode {header.mode:o}: special bits are not taken")
    if header.linkname:
        raise PackageError(f"`{shown}` names the target of a link")
    if is_folder and header.size:
        raise PackageError(f"`{shown}` is a folder with content")
    return Entry(path=name, bytes=header.size, is_folder=is_folder, executable=bool(header.mode & 0o100))
