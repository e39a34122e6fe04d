"""Which files does a command read and write? Problems are told in one line that names the file, and before any work."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from diagnoser.errors import UsageError


def read_diagnosis(path: Path) -> str:
    """Return the text of a diagnosis.json. Raises UsageError when it is none."""
    from diagnoser.evidence.reading import read_diagnosis as check

    if path.is_dir() and (path / "diagnosis.json").is_file():
        path /= "diagnosis.json"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; `diagnoser run` writes a diagnosis.json") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: cannot be read as a diagnosis: it is no text") from None
    try:
        check(text)
    except UsageError as error:
        if '"verdict"' not in text and '"steps"' in text:
            raise UsageError(
                f"{path}: this is evidence that nobody judged; name the diagnosis.json beside it"
            ) from None
        raise UsageError(f"{path}: cannot be read as a diagnosis: {error}") from None
    return text


def write(path: Path, text: str) -> None:
    """Write a file, and the folders above it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None


def check_writable(*paths: Path | None) -> None:
    """Raise UsageError when one of these files could not be written at the end; None: not asked for."""
    for path in paths:
        if path is None:
            continue
        if path.is_dir():
            raise UsageError(f"{path}: this is a folder; name a file")
        with folder(path.parent):
            pass


@contextmanager
def folder(path: Path) -> Iterator[None]:
    """Make sure that files can be written into a folder; one that we made is gone again if nothing was."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path}: this is a file; name a folder")
    missing = [each for each in (path, *path.parents) if not each.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise UsageError(f"{path}: nothing can be written there: {error.strerror}") from None
    try:
        yield
    finally:
        with suppress(OSError):  # not empty: the work is done
            for made in missing:
                made.rmdir()
