"""How do an archive's files get onto the disk? Beneath one open folder, part by part, never through a link.

Covers: names, kinds, sizes and number of the entries, two spellings of one path, links that somebody else puts into the
folder meanwhile. Does not cover: time and memory, which `reading.py` bounds for the process that this runs in.
"""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from diagnoser.packages.entries import BLOCK, Entry, entries
from diagnoser.packages.inflating import CHUNK, Inflated
from diagnoser.packages.manifest import Manifest, PackagedFile, manifest_of
from diagnoser.packages.names import printable, same_for_some_systems
from diagnoser.packages.refusal import PackageError
from diagnoser.packages.sizes import Limits

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
END = 20 * BLOCK  # zeros that close an archive: tar writes whole records


def unpack(archive: BinaryIO, into: Path, *, limits: Limits) -> Manifest:
    """Write what an archive holds into an empty folder; raises PackageError, and then some files may be there."""
    headers = 4 * BLOCK * (limits.files + limits.folders) + END  # header, pax header with its body, padding
    inflated = Inflated(archive, most=limits.unpacked + headers)
    taken = _Taken(limits)
    files: list[PackagedFile] = []
    root = os.open(into, FOLDER)
    try:
        for entry in entries(inflated, limits=limits):
            taken.add(entry)
            if entry.is_folder:
                os.close(_open_folder(root, entry.path.split("/")))
            else:
                files.append(_write(root, entry, inflated))
    finally:
        os.close(root)
    return manifest_of(tuple(files))


class _Taken:
    """The paths that are taken, as a system would see them that ignores case; and how much room is left."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._folders: dict[str, str] = {}  # as such a system sees it: as it is written
        self._files: set[str] = set()
        self._bytes = 0

    def add(self, entry: Entry) -> None:
        """Refuse a path that is taken, and what is beyond a limit."""
        parts = entry.path.split("/")
        above = len(parts) if entry.is_folder else len(parts) - 1
        for number in range(1, above + 1):
            self._add_folder("/".join(parts[:number]))
        if not entry.is_folder:
            self._add_file(entry)

    def _add_folder(self, path: str) -> None:
        key = same_for_some_systems(path)
        if key in self._files or self._folders.setdefault(key, path) != path:
            raise PackageError(f"`{printable(path)}` is there twice, perhaps in another spelling")
        if len(self._folders) > self._limits.folders:
            raise PackageError(f"the archive has more than {self._limits.folders:,} folders")

    def _add_file(self, entry: Entry) -> None:
        key = same_for_some_systems(entry.path)
        if key in self._files or key in self._folders:
            raise PackageError(f"`{printable(entry.path)}` is there twice, perhaps in another spelling")
        self._files.add(key)
        self._bytes += entry.bytes
        if len(self._files) > self._limits.files:
            raise PackageError(f"the archive has more than {self._limits.files:,} files")
        if self._bytes > self._limits.unpacked:
            room = f"{self._limits.unpacked:,} bytes"
            raise PackageError(f"the archive unpacks to more than {room}, with `{printable(entry.path)}`")


def _open_folder(root: int, parts: list[str]) -> int:
    """Open a folder beneath the root, made where it is missing; no part may be a link."""
    here = os.dup(root)
    for part in parts:
        try:
            try:
                os.mkdir(part, 0o755, dir_fd=here)
            except FileExistsError:
                below = os.open(part, FOLDER, dir_fd=here)
            else:
                below = os.open(part, FOLDER, dir_fd=here)
                os.fchmod(below, 0o755)  # whatever the umask
        finally:
            os.close(here)
        here = below
    return here


def _write(root: int, entry: Entry, inflated: Inflated) -> PackagedFile:
    *folders, name = entry.path.split("/")
    folder = _open_folder(root, folders)
    try:
        target = os.open(name, NEW_FILE, 0o600, dir_fd=folder)
    finally:
        os.close(folder)
    digest = hashlib.sha256()
    with os.fdopen(target, "wb") as file:
        left = entry.bytes
        while left:
            part = inflated.some(min(left, CHUNK))
            if not part:
                raise PackageError("the archive ends too early")
            digest.update(part)
            file.write(part)
            left -= len(part)
        os.fchmod(file.fileno(), 0o755 if entry.executable else 0o644)
    return PackagedFile(path=entry.path, bytes=entry.bytes, sha256=digest.hexdigest(), executable=entry.executable)
