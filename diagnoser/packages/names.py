"""Which names may a file of a package have? The packer and the reader ask the same function.

Covers: what leaves the folder (absolute, `..`), what another program would read as something else (separators,
control characters, characters that are not seen or turn the direction of writing, blanks and dots at the end), two
spellings of one name (not NFC). Allows: blanks, dotfiles, letters of all scripts, and what only Windows reserves
(`aux.py`, `12:30.csv`), since packages are read on Linux alone.
"""

import unicodedata

LONGEST_PATH = 240  # characters: leaves room for the folder above under PATH_MAX (4,096 bytes), whatever the script
LONGEST_PART = 255  # bytes: NAME_MAX of every common file system
DEEPEST = 16  # parts of a path; a source tree has 3 to 8
JOINERS = "\u200c\u200d"  # invisible, but letters of Persian and the scripts of India need them
INVISIBLE = {"Cc": "a control character", "Cf": "an invisible character", "Cs": "bytes that are no UTF-8"}
INVISIBLE |= dict.fromkeys(("Zl", "Zp"), "a line separator")
SHOWN = 120  # characters of a hostile name that a message repeats


def problem_with(path: str) -> str | None:
    """Say why no file of a package may have this path; None when it may."""
    if not path:
        return "it has no name"
    if path.startswith("/"):
        return "its path is absolute"
    parts = path.split("/")
    if len(parts) > DEEPEST:
        return f"it lies deeper than {DEEPEST} folders"
    if len(path) > LONGEST_PATH:
        return f"its path is longer than {LONGEST_PATH} characters"
    for part in parts:
        problem = _problem_with_part(part)
        if problem is not None:
            return problem
    if unicodedata.normalize("NFC", path) != path:
        return "its name is not written in Unicode's normal form NFC"
    return None


def _problem_with_part(part: str) -> str | None:
    if not part:
        return "its path has an empty part"
    if part in {".", ".."}:
        return f"its path has a `{part}`"
    for character in part:
        kind = INVISIBLE.get(unicodedata.category(character))
        if kind is not None and character not in JOINERS:
            return f"its name has {kind}"
    if "\\" in part:
        return "its name has a backslash"
    if part != part.strip() or part.endswith("."):
        return "a part of its path begins or ends with a blank, or ends with a dot"
    if len(part.encode()) > LONGEST_PART:
        return f"a part of its path is longer than {LONGEST_PART} bytes"
    return None


def same_for_some_systems(path: str) -> str:
    """Give what is equal for paths that a system which ignores case would take for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def printable(name: str) -> str:
    """Give a name that may be hostile so that a message can show it."""
    shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in name[:SHOWN])
    return shown + ("..." if len(name) > SHOWN else "")
