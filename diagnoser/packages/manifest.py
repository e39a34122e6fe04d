"""What is in a package? Its files with their sizes and hashes, and one hash of them all.

Two hashes say two things. The *archive's* is its address: the gateway checks it while the bytes come in, without
unpacking anything. The *content's* is made of names, modes and bytes alone, so it is the same where another zlib
packed the same files into other bytes.
"""

import hashlib

from pydantic import Field

from diagnoser.records import Record

HASH = r"^[0-9a-f]{64}$"


class PackagedFile(Record):
    """One file as the package holds it."""

    path: str  # with slashes, relative to the folder of the spec, NFC
    bytes: int
    sha256: str = Field(pattern=HASH)
    executable: bool = False


class Manifest(Record):
    """All files of a package, sorted by path."""

    files: tuple[PackagedFile, ...]
    content: str = Field(pattern=HASH)

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)


def manifest_of(files: tuple[PackagedFile, ...]) -> Manifest:
    """Sort the files and hash them: one line each, whose fields no name can imitate (names hold no line feed)."""
    ordered = tuple(sorted(files, key=lambda file: file.path))
    lines = (f"{file.sha256} {file.bytes} {int(file.executable)} {file.path}\n" for file in ordered)
    return Manifest(files=ordered, content=hashlib.sha256("".join(lines).encode()).hexdigest())
