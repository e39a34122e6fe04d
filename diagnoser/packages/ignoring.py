"""What do `.gitignore` and `.diagnoserignore` say of a path? Git's own meaning of patterns, by the library `pathspec`.

Covers: nested files (the innermost that says something decides), `.gitignore` files above the folder up to the one that
holds `.git`. Does not cover: ignore files of the user's account (`core.excludesFile`) and of the clone
(`.git/info/exclude`), which another machine would not have, and what git tracks although it ignores it.
"""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec, Pattern

from diagnoser.errors import UsageError

GIT, OURS = ".gitignore", ".diagnoserignore"
LONGEST = 1_000_000  # bytes; a longer one was written by no person


@dataclass(frozen=True)
class Line:
    """One pattern of an ignore file."""

    number: int
    text: str
    whole: Pattern
    last: Pattern | None  # its last part alone; None: `**`, which is any
    parts: int  # how many a path must have at least; `**` is none, but at the end one
    exact: bool  # no more than these: `**` is not among them
    bare: bool  # a name without a path: matches at any depth

    @property
    def takes_back(self) -> bool:
        return self.text.startswith("!")

    def matches(self, path: str) -> bool:
        """Tell whether it means this path itself, not a folder above: the walk has asked about those already."""
        above, _, name = path.rstrip("/").rpartition("/")
        if path.endswith("/"):
            name += "/"
        elif self.text.endswith("/"):
            return False
        if self.bare:
            return _says(self.whole, name)
        depth = above.count("/") + 2 if above else 1
        if depth < self.parts or (self.exact and depth > self.parts):
            return False
        return _says(self.whole, path) and (self.last is None or _says(self.last, name))


@dataclass(frozen=True)
class IgnoreFile:
    """One ignore file: its patterns, and where they stand."""

    name: str  # as a message shows it
    inside: str  # what is put before a path of ours to make it relative to this file (a file above the folder)
    below: str  # what is taken off instead (a nested file); "" or ending with a slash
    lines: tuple[Line, ...]

    def relative(self, path: str) -> str:
        """Give a path as this file's patterns see it."""
        return self.inside + path.removeprefix(self.below)

    def last_word(self, relative: str) -> Line | None:
        """Give the last line that means a path."""
        return next((line for line in reversed(self.lines) if line.matches(relative)), None)


@dataclass(frozen=True)
class Verdict:
    """What the deciding line says."""

    leaves_out: bool
    line: str  # file:line: pattern
    names_it: bool  # the path or its last part, letter by letter: no wildcard, and no folder above


def read(folder: Path, name: str, *, inside: str = "", below: str = "", shown: str = "") -> IgnoreFile | None:
    """Read a folder's ignore file, if it has one with a pattern in it."""
    path = folder / name
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LONGEST:
            return None  # git follows no link either
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError:
        return None
    where = shown or below + name
    found = []
    for number, text in enumerate(lines, 1):
        if not text.strip() or text.startswith("#"):
            continue
        line = _line(number, text)
        if line is not None:
            found.append(line)
        elif name == OURS:  # git passes over such lines without a word
            raise UsageError(f"{where}:{number}: {text!r} is no pattern; patterns are those of .gitignore")
    return IgnoreFile(name=where, inside=inside, below=below, lines=tuple(found)) if found else None


def _line(number: int, text: str) -> Line | None:
    text = text.rstrip("\n\r")
    if not text.endswith("\\ "):
        text = text.rstrip(" ")
    pattern = text.removeprefix("!")
    parts = [part for part in pattern.split("/") if part]
    whole = _compiled(pattern)
    if whole is None or not parts:
        return None
    ending = "/" if pattern.endswith("/") else ""
    anywhere = parts[0] == "**" and len(parts) == 2
    bare = ("/" not in pattern.rstrip("/") and parts[0] != "**") or (anywhere and parts[1] != "**")
    return Line(
        number=number,
        text=text,
        whole=whole,
        last=None if parts[-1] == "**" else _compiled(parts[-1] + ending),
        parts=sum(part != "**" for part in parts) + (parts[-1] == "**"),
        exact="**" not in parts,
        bare=bare,
    )


def _compiled(pattern: str) -> Pattern | None:
    try:
        spec = GitIgnoreSpec.from_lines([pattern])
    except ValueError:
        return None
    return next((each for each in spec.patterns if each.include is not None), None)


def _says(pattern: Pattern, path: str) -> bool:
    return pattern.match_file(path) is not None


def above(folder: Path) -> tuple[IgnoreFile, ...]:
    """Read the `.gitignore` files above a folder, up to the one beside `.git`; none where git ignores the folder."""
    found: list[IgnoreFile] = []
    inside = ""
    for here, parent in zip((folder, *folder.parents), folder.parents, strict=False):
        if (here / ".git").exists():
            break
        inside = f"{here.name}/{inside}"
        each = read(parent, GIT, inside=inside, shown=str(parent / GIT))
        if each is not None:
            found.insert(0, each)
    else:
        return ()  # no repository
    return () if any(_ignores_the_folder(each) for each in found) else tuple(found)


def _ignores_the_folder(file: IgnoreFile) -> bool:
    parts = file.inside.split("/")[:-1]
    words = (file.last_word("/".join(parts[:number]) + "/") for number in range(1, len(parts) + 1))
    return any(word is not None and not word.takes_back for word in words)


def verdict(chain: Sequence[IgnoreFile], path: str) -> Verdict | None:
    """Give what the innermost file says that says something; a folder's path ends with a slash."""
    for each in reversed(chain):
        relative = each.relative(path)
        line = each.last_word(relative)
        if line is not None:
            names_it = line.text.lstrip("!/") in {relative, path.rpartition("/")[2]}
            where = f"{each.name}:{line.number}: {line.text}"
            return Verdict(leaves_out=not line.takes_back, line=where, names_it=names_it)
    return None


def takes_back_below(chain: Sequence[IgnoreFile], folder: str) -> bool:
    """Tell whether a line with `!` names, by its path, something inside a folder (which ends with a slash)."""
    return any(
        _reaches(line.text[1:], each.relative(folder).rstrip("/").split("/"))
        for each in chain
        for line in each.lines
        if line.takes_back
    )


def _reaches(pattern: str, folder: Sequence[str]) -> bool:
    """Tell whether a pattern with a path leads into a folder; a bare name (`!*.csv`) would lead everywhere."""
    parts = pattern.strip("/").split("/")
    if len(parts) == 1 and not pattern.startswith("/"):
        return False
    for part, name in zip(parts, folder, strict=False):
        if part == "**":
            return True
        if not fnmatch.fnmatchcase(name, part):
            return False
    return True
