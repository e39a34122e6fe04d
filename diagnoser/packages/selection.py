"""What was chosen for a package: its files, and what was left out and why."""

from diagnoser.packages.leaving_out import Kind
from diagnoser.packages.names import printable
from diagnoser.packages.refusal import PackageError
from diagnoser.packages.sizes import LIMITS, Limits, spelled
from diagnoser.records import Record

LARGEST = 5


class ChosenFile(Record):
    """A file that belongs to the package."""

    path: str  # in the package: with slashes, NFC
    source: str  # on the disk, relative to the folder: differs for links and for names in another normal form
    bytes: int
    executable: bool = False


class LeftOut(Record):
    """A file or folder (with a slash at the end) that does not belong to it."""

    path: str
    kind: Kind
    because: str = ""  # the line of an ignore file, where a link leads, what is wrong with a name


class Selection(Record):
    """What is sent of a folder."""

    folder: str
    files: tuple[ChosenFile, ...]  # sorted by path
    left_out: tuple[LeftOut, ...]
    taken_back: tuple[str, ...] = ()  # secrets by their name that .diagnoserignore names with `!`

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)

    @property
    def largest(self) -> tuple[ChosenFile, ...]:
        """The largest files, largest first."""
        return tuple(sorted(self.files, key=lambda file: (-file.bytes, file.path))[:LARGEST])

    def of_kind(self, kind: Kind) -> tuple[LeftOut, ...]:
        """Give what was left out for one reason."""
        return tuple(each for each in self.left_out if each.kind is kind)


def check_size(selection: Selection, *, limits: Limits = LIMITS) -> None:
    """Raise PackageError when a selection is too large whatever the packing does."""
    if len(selection.files) > limits.files:
        raise PackageError(
            f"{selection.folder} has {len(selection.files):,} files for the package, and at most {limits.files:,} are "
            f"taken. The folders with most of them:\n{_fullest(selection)}\n{HOW}"
        )
    if selection.bytes > limits.unpacked:
        raise too_large(selection, f"has {spelled(selection.bytes)}, and at most {spelled(limits.unpacked)} are taken")


def too_large(selection: Selection, said: str) -> PackageError:
    """Say which files make a package too large, and what to do."""
    listed = "\n".join(f"  {spelled(file.bytes):>8}  {printable(file.path)}" for file in selection.largest)
    return PackageError(f"the package of {selection.folder} {said}. The largest files:\n{listed}\n{HOW}")


HOW = "Name in .diagnoserignore what your code does not need, and in data.paths the folders that the worker has itself."


def _fullest(selection: Selection) -> str:
    counted: dict[str, int] = {}
    for file in selection.files:
        top = file.path.partition("/")[0] + "/" if "/" in file.path else "the folder itself"
        counted[top] = counted.get(top, 0) + 1
    fullest = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:LARGEST]
    return "\n".join(f"  {number:>8,}  {printable(name)}" for name, number in fullest)
