"""Archives that no honest program writes: each breaks one rule of the strict reader, and nothing else."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable, Iterator

BLOCK = 512
END = bytes(2 * BLOCK)


def header(name: str, *, size: int = 0, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, link: str = "") -> bytes:
    """One header in the POSIX format, with a right checksum."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.mode, info.linkname = size, kind, mode, link
    return info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape")


def entry(name: str, content: bytes = b"x", **more: object) -> bytes:
    return header(name, size=len(content), **more) + padded(content)  # type: ignore[arg-type]


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


def pax(*records: tuple[str, str], kind: bytes = tarfile.XHDTYPE) -> bytes:
    body = b"".join(_pax_record(key, value) for key, value in records)
    return header("././@PaxHeader", size=len(body), kind=kind) + padded(body)


def _pax_record(key: str, value: str) -> bytes:
    tail = f" {key}={value}\n".encode()
    length = len(tail)
    while len(str(length)) + len(tail) != length:
        length = len(str(length)) + len(tail)
    return str(length).encode() + tail


def patched(block: bytes, offset: int, new: bytes) -> bytes:
    """A header with other bytes in it and the checksum made right again."""
    changed = bytearray(block[:BLOCK])
    changed[offset : offset + len(new)] = new
    changed[148:156] = b" " * 8
    changed[148:156] = b"%06o\0 " % sum(changed)
    return bytes(changed) + block[BLOCK:]


def packed(tar: bytes) -> bytes:
    return gzip.compress(tar, mtime=0)


def good() -> bytes:
    return entry("diagnose.yaml") + entry("model.py")


def bomb(*, megabytes: int) -> bytes:
    """Zeros behind the end of an archive, a thousandth of their size: nothing to be written, much to be read."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, 31)
    start = deflate.compress(good() + END) + deflate.flush(zlib.Z_FULL_FLUSH)
    again = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)  # refers to nothing before it
    return start + again * megabytes


def gnu(build: Callable[[tarfile.TarFile], None]) -> bytes:
    """What `tar` of GNU writes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        build(tar)
    return packed(file.getvalue())


def as_posix(raw: bytes) -> bytes:
    """A header of GNU's that claims to be POSIX."""
    return patched(raw, 257, b"ustar\x0000")


def hostile() -> Iterator[tuple[str, bytes, str]]:
    """What it is, the archive, and words of the reason for which it is refused."""
    link = {"kind": tarfile.SYMTYPE, "link": "/etc/passwd"}
    one = {
        "a symbolic link": (header("a.py", **link), "is a symbolic link"),  # type: ignore[arg-type]
        "a file through a link before it": (
            header("data", kind=tarfile.SYMTYPE, link="..") + entry("data/x.py"),
            "`data` is a symbolic link",
        ),
        "a hard link": (entry("a") + header("b", kind=tarfile.LNKTYPE, link="a"), "`b` is a hard link"),
        "a character device": (header("null", kind=tarfile.CHRTYPE), "is a device"),
        "a block device": (header("disk", kind=tarfile.BLKTYPE), "is a device"),
        "a FIFO": (header("pipe", kind=tarfile.FIFOTYPE), "is a FIFO"),
        "a contiguous file": (header("a", kind=tarfile.CONTTYPE), "contiguous"),
        "an unknown kind": (header("a", kind=b"Z"), "unknown kind"),
        "a volume label": (header("a", kind=b"V"), "unknown kind"),
        "the old kind of file": (header("a", kind=tarfile.AREGTYPE), "unknown kind"),
        "dots upwards": (entry("../outside.py"), "`..`"),
        "dots in the middle": (entry("a/../../outside.py"), "`..`"),
        "a dot alone": (entry("./a.py"), "`.`"),
        "a folder upwards": (header("..", kind=tarfile.DIRTYPE), "`..`"),
        "an absolute path": (entry("/etc/cron.d/x"), "absolute"),
        "two slashes": (entry("a//b.py"), "empty part"),
        "no name": (patched(header("a"), 0, b"\0"), "no name"),
        "a line feed in the name": (entry("a.py\n"), "control character"),
        "an escape sequence in the name": (entry("\x1b[2Ja.py"), "control character"),
        "writing from right to left": (entry("a\u202eyp.exe"), "invisible"),
        "a blank that is not seen": (entry("mod\u200bel.py"), "invisible"),
        "a line separator": (entry("a\u2028b"), "line separator"),
        "a backslash": (entry("..\\outside.py"), "backslash"),
        "a dot at the end": (entry("model.py."), "ends with a dot"),
        "a blank at the end": (entry("model.py "), "blank"),
        "a blank at the end of a folder": (entry("src /model.py"), "blank"),
        "a name that is not UTF-8": (patched(entry("a.py"), 0, b"\xff\xfe"), "no UTF-8"),
        "a name in another normal form": (entry("e\u0301.py"), "NFC"),
        "the same file twice": (entry("a.py") + entry("a.py"), "`a.py` is there twice"),
        "two names but for capitals": (entry("Model.py") + entry("model.py"), "`model.py` is there twice"),
        "two names but for the sharp s": (entry("straße.py") + entry("STRASSE.py"), "there twice"),
        "two folders but for capitals": (entry("Src/a.py") + entry("src/b.py"), "`src` is there twice"),
        "a file that is a folder": (entry("a") + entry("a/b"), "`a` is there twice"),
        "a folder that is a file": (entry("a/b") + entry("a"), "`a` is there twice"),
        "too deep": (entry("/".join("abcdefghijklmnopq")), "deeper than 16"),
        "a path too long": (pax(("path", "/".join(["n" * 60] * 5))) + entry("n"), "longer than 240"),
        "a part too long": (pax(("path", "模" * 90)) + entry("n"), "longer than 255 bytes"),
        "a set-uid bit": (header("a", mode=0o4755), "special bits"),
        "a file that names a target": (header("a", link="b"), "target of a link"),
        "a folder with content": (entry("a", kind=tarfile.DIRTYPE), "folder with content"),
        "a negative size": (patched(header("a"), 124, b"\xff" * 12), "negative size"),
        "a size beyond everything": (patched(header("a"), 124, b"\x80" + b"\x7f" * 11), "unpacks to more than"),
        "a size that is no number": (patched(header("a"), 124, b"12 monkeys!\0"), "header is damaged"),
        "a wrong checksum": (header("a")[:148] + b"000000\0 " + header("a")[156:], "header is damaged"),
        "a damaged second header": (entry("a") + b"rubbish!" * 64, "not in the POSIX format"),
        "a pax header that changes the size": (pax(("size", "99")) + entry("a"), "other than one path"),
        "a pax header that hides a second path": (pax(("path", "a"), ("path", "/b")) + entry("a"), "other than one"),
        "a pax header with a target": (pax(("linkpath", "/etc")) + entry("a"), "other than one path"),
        "a pax header of a sparse file": (pax(("GNU.sparse.name", "a")) + entry("a"), "other than one path"),
        "a pax header upwards": (pax(("path", "../a")) + entry("a"), "`..`"),
        "a pax header with a wrong length": (
            header("x", size=10, kind=tarfile.XHDTYPE) + padded(b"99 path=a\n") + entry("a"),
            "other than one path",
        ),
        "a pax header that is not UTF-8": (
            header("x", size=10, kind=tarfile.XHDTYPE) + padded(b"10 path=\xff\n") + entry("a"),
            "no UTF-8",
        ),
        "a huge pax header": (header("x", size=10**9, kind=tarfile.XHDTYPE), "pax header has 1,000,000,000"),
        "a pax header for a pax header": (pax(("path", "a")) + pax(("path", "b")) + entry("c"), "unknown kind"),
        "a pax header for nothing": (pax(("path", "a")), "belongs to no entry"),
        "a global pax header": (pax(("path", "a"), kind=tarfile.XGLTYPE) + entry("b"), "global pax header"),
        "a long name of GNU's": (header("n", size=4, kind=b"L") + padded(b"../a"), "long name in GNU"),
        "a long link of GNU's": (header("n", size=4, kind=b"K") + padded(b"../a"), "long link in GNU"),
        "a sparse file of GNU's": (header("a", kind=tarfile.GNUTYPE_SPARSE), "sparse file"),
        "something behind the end": (good() + END + entry("late.py"), "behind the end of the archive"),
    }
    for name, (tar, why) in one.items():
        yield name, packed(tar + END), why
    archive = packed(good() + END)
    yield "nothing", b"", "no gzip file"
    yield "no gzip file", b"PK\x03\x04 a zip file", "no gzip file"
    yield "a bare tar file", good() + END, "no gzip file"
    yield "a gzip file of something else", packed(b"hello"), "ends too early"
    yield "half a gzip file", archive[: len(archive) // 2], "too early"
    yield "a gzip file without its sum", archive[:-8], "too early"
    yield "a gzip file with a wrong sum", archive[:-8] + bytes(8), "damaged"
    yield "no end", packed(good()), "ends too early"
    yield "a file cut short", packed(header("a", size=1000) + b"x"), "ends too early"
    yield "a second gzip member", archive + packed(entry("late.py") + END), "behind the end of the gzip file"
    yield "rubbish behind the gzip file", archive + b"rubbish", "behind the end of the gzip file"
    named = io.BytesIO()
    with gzip.GzipFile(filename="evil", mode="wb", fileobj=named) as file:
        file.write(good() + END)
    yield "a gzip header with a name", named.getvalue(), "as `diagnoser pack` writes it"
    yield "an archive of GNU's tar", gnu(lambda tar: tar.addfile(tarfile.TarInfo("a"))), "not in the POSIX format"
