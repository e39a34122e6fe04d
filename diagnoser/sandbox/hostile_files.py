"""How is a folder read, measured and removed that somebody else may write to, and change meanwhile?

Covers: links, FIFOs, devices and folders in the place of a file, files that grow, folders deeper than any path may be
long, folders without rights, too many files, files that were removed and are still open.
Does not cover: a file that is mapped into memory, removed and closed: its blocks are free again when its process ends.
"""

import contextlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

BLOCK = 512  # bytes of st_blocks, whatever the file system's own are
CHUNK = 1 << 20


class NotRegularError(Exception):
    """It is no file, or has more bytes than anybody has asked for."""


@dataclass(frozen=True)
class Size:
    """What a folder takes. `is_whole`: nothing was left out of the count."""

    files: int
    bytes: int
    is_whole: bool


def read(file: Path, *, most: int) -> bytes:
    """Read a file. Raises NotRegularError, and OSError where there is nothing."""
    try:
        end = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if file.is_symlink():
            raise NotRegularError("it is no file") from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(end).st_mode):
            raise NotRegularError("it is no file")
        content = b""
        while chunk := os.read(end, min(CHUNK, most + 1 - len(content))):
            content += chunk
            if len(content) > most:
                raise NotRegularError(f"it has more than {most:,} bytes")
        return content
    finally:
        os.close(end)


def size(folder: Path, *, most_files: int, processes: Iterable[int] = ()) -> Size:
    """Count files and bytes below a folder, and what these processes hold open there without a name."""
    waiting, files, taken, is_whole = [str(folder)], 0, 0, True
    while waiting and files <= most_files:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    files += 1
                    if files > most_files:
                        break
                    taken += entry.stat(follow_symlinks=False).st_blocks * BLOCK
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except FileNotFoundError:  # removed meanwhile
            continue
        except OSError:  # no rights, or too deep for a path
            is_whole = False
    return Size(files, taken + _nameless_bytes(folder, processes), is_whole)


def _nameless_bytes(folder: Path, processes: Iterable[int]) -> int:
    found: dict[int, int] = {}
    with contextlib.suppress(OSError):
        device = folder.stat().st_dev
        for process in processes:
            with contextlib.suppress(OSError):
                for number in os.listdir(f"/proc/{process}/fd"):  # noqa: PTH208 (names are enough)
                    with contextlib.suppress(OSError):
                        status = os.stat(f"/proc/{process}/fd/{number}")  # noqa: PTH116 (a link to no path)
                        if stat.S_ISREG(status.st_mode) and not status.st_nlink and status.st_dev == device:
                            found[status.st_ino] = status.st_blocks * BLOCK
    return sum(found.values())


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, following no link and going into no depth.

    Folders are moved up to the first level before they are emptied: `shutil.rmtree` calls itself for each level, and
    `tempfile` of Python before 3.11.8 gave rights to whatever a link pointed at. What cannot be removed stays.
    """
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    moved = 0
    try:
        while folders := _empty(top, into=None, moved=0)[0]:
            progress = False
            before = moved
            for name in folders:
                with contextlib.suppress(OSError):
                    inner = _open_with_rights(name, top)
                    try:
                        _, moved = _empty(inner, into=top, moved=moved)
                    finally:
                        os.close(inner)
                    os.rmdir(name, dir_fd=top)
                    progress = True
            if not progress and moved == before:
                break
    finally:
        os.close(top)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _empty(end: int, *, into: int | None, moved: int) -> tuple[list[str], int]:
    """Remove the files of a folder; move its folders elsewhere, or list them."""
    folders = []
    for name in os.listdir(end):
        with contextlib.suppress(OSError):
            if not stat.S_ISDIR(os.stat(name, dir_fd=end, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=end)
            elif into is None:
                folders.append(name)
            else:
                os.close(_open_with_rights(name, end))  # a folder that is moved must be writable
                moved += 1
                os.rename(name, f".moved-{os.getpid()}-{moved}", src_dir_fd=end, dst_dir_fd=into)
    return folders, moved


def _open_with_rights(name: str, parent: int) -> int:
    """Open a folder, and no link to one, with the rights to empty it."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        Path(f"/proc/self/fd/{handle}").chmod(stat.S_IRWXU)
    finally:
        os.close(handle)
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
