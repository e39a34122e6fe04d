"""What becomes of a symbolic link? What it leads to, packed in its place; or a reason why not.

A link is never followed to where the walk has not been: only a file that belongs to the package itself is put in its
place, so neither a link to `.env` nor one to another user's folder carries anything out.
"""

import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from diagnoser.packages.names import problem_with
from diagnoser.packages.selection import ChosenFile

Resolved = tuple[list[ChosenFile], str | None]


def resolve(folder: Path, path: str, *, chosen: Mapping[str, ChosenFile]) -> Resolved:
    """Give the files that stand for a link, or what is wrong with it; `chosen`: files by their place on the disk."""
    try:
        target = Path(os.path.realpath(folder / path, strict=True))
    except OSError:
        return [], "it leads nowhere"
    if not target.is_relative_to(folder):
        return [], f"it leads to {target}, out of the folder"
    inside = target.relative_to(folder).as_posix()
    if inside == "." or path.startswith(inside + "/"):
        return [], "it leads to a folder that it lies in"
    if target.is_file():
        file = chosen.get(inside)
        return ([], f"{inside} is left out itself") if file is None else _renamed({path: file})
    found = {
        path + place.removeprefix(inside): file for place, file in chosen.items() if place.startswith(inside + "/")
    }
    return ([], f"nothing in {inside} is sent") if not found else _renamed(found)


def _renamed(found: Mapping[str, ChosenFile]) -> Resolved:
    files = []
    for path, file in found.items():
        name = unicodedata.normalize("NFC", path)
        problem = problem_with(name)
        if problem is not None:
            return [], problem
        files.append(file.model_copy(update={"path": name}))
    return files, None
