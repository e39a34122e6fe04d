"""A package that anybody may have written is taken whole, or refused with a reason and without a trace."""

import subprocess
import tarfile
from pathlib import Path

import pytest

from diagnoser.errors import EngineError
from diagnoser.packages import reading
from diagnoser.packages.manifest import Manifest
from diagnoser.packages.reading import read_package
from diagnoser.packages.refusal import PackageError
from diagnoser.packages.sizes import Limits
from diagnoser.packages.unpacking import unpack
from tests.helpers.hostile_archives import END, bomb, entry, good, header, hostile, packed, pax

HOSTILE = list(hostile())


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in this process: a new one for each of eighty archives takes minutes on a busy machine."""

    def read(archive: Path, into: Path, *, limits: Limits) -> Manifest:
        with archive.open("rb") as file:
            return unpack(file, into, limits=limits)

    monkeypatch.setattr(reading, "_read_in_a_process", read)


def write(folder: Path, content: bytes) -> Path:
    archive = folder / "package.tar.gz"
    archive.write_bytes(content)
    return archive


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("content", "why"), [each[1:] for each in HOSTILE], ids=[each[0] for each in HOSTILE])
def test_a_hostile_archive_is_refused_with_its_reason_and_leaves_nothing(
    content: bytes, why: str, tmp_path: Path
) -> None:
    archive = write(tmp_path, content)
    with pytest.raises(PackageError) as caught:
        read_package(archive, tmp_path / "out")
    assert why in str(caught.value)
    assert everything(tmp_path) == ["package.tar.gz"]


def test_there_are_more_than_twenty_five_of_them() -> None:
    assert len({why for _, _, why in HOSTILE}) > 25


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("cut", range(1, 40))
def test_an_archive_that_is_cut_anywhere_is_refused(cut: int, tmp_path: Path) -> None:
    whole = packed(good() + END)
    with pytest.raises(PackageError):
        read_package(write(tmp_path, whole[: len(whole) * cut // 40]), tmp_path / "out")
    assert everything(tmp_path) == ["package.tar.gz"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("tar", "limits", "why"),
    [
        (entry("a", b"x" * 600) + entry("b", b"x" * 600), Limits(unpacked=1000), "more than 1,000 bytes, with `b`"),
        (entry("a") + entry("b") + entry("c"), Limits(files=2), "more than 2 files"),
        (header("a", kind=tarfile.DIRTYPE) * 9, Limits(files=1, folders=2), "more than 3 entries"),
        (entry("a/b/c/d"), Limits(folders=2), "more than 2 folders"),
        (pax(("path", "x")) + entry("a") + pax(("path", "y")) + entry("b"), Limits(files=1, folders=1), "files"),
    ],
    ids=["bytes", "files", "entries", "folders", "pax"],
)
def test_what_is_beyond_a_limit_is_refused(tar: bytes, limits: Limits, why: str, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=why):
        read_package(write(tmp_path, packed(tar + END)), tmp_path / "out", limits=limits)
    assert everything(tmp_path) == ["package.tar.gz"]


@pytest.mark.usefixtures("here")
def test_zeros_without_end_behind_the_archive_are_counted_too(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="unpacks to more than"):
        read_package(write(tmp_path, bomb(megabytes=50)), tmp_path / "out", limits=Limits(unpacked=1000, files=9))


def test_an_archive_that_is_too_large_is_not_even_opened(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="larger than 1 kB"):
        read_package(write(tmp_path, bytes(1001)), tmp_path / "out", limits=Limits(packed=1000))
    assert everything(tmp_path) == ["package.tar.gz"]


def test_a_folder_that_is_there_is_never_written_into(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError):
        read_package(write(tmp_path, packed(good() + END)), tmp_path / "out")
    assert everything(tmp_path / "out") == ["mine"]


@pytest.mark.usefixtures("here")
def test_a_link_that_somebody_put_into_the_folder_meanwhile_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "src").symlink_to(tmp_path / "elsewhere")
    archive = write(tmp_path, packed(entry("src/model.py") + END))
    with archive.open("rb") as file, pytest.raises(OSError, match="src"):
        unpack(file, tmp_path / "out", limits=Limits())
    assert everything(tmp_path / "elsewhere") == []


def test_a_file_that_somebody_put_into_the_folder_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    (tmp_path / "out" / "model.py").hardlink_to(tmp_path / "mine")
    archive = write(tmp_path, packed(entry("model.py") + END))
    with archive.open("rb") as file, pytest.raises(FileExistsError):
        unpack(file, tmp_path / "out", limits=Limits())
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "mine"


# --- taken -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "name",
    [
        ".env.example",
        "my model.py",
        "模型.py",
        "données/é.csv",
        "aux.py",
        "12:30 run.csv",
        "a-b+c=d@e.txt",
        "می‌خواهم.py",
    ],
)
def test_a_name_that_users_have_is_taken(name: str, tmp_path: Path) -> None:
    read_package(write(tmp_path, packed(entry(name) + END)), tmp_path / "out")
    assert (tmp_path / "out" / name).read_bytes() == b"x"


@pytest.mark.usefixtures("here")
def test_a_file_is_writable_by_nobody_else_and_a_program_stays_one(tmp_path: Path) -> None:
    tar = entry("run.sh", mode=0o777) + entry("sub/a.py", mode=0o600) + header("empty/", kind=tarfile.DIRTYPE)
    manifest = read_package(write(tmp_path, packed(tar + END)), tmp_path / "out")
    modes = {path.name: path.stat().st_mode & 0o7777 for path in (tmp_path / "out").rglob("*")}
    assert modes == {"run.sh": 0o755, "a.py": 0o644, "sub": 0o755, "empty": 0o755}
    assert [(file.path, file.executable) for file in manifest.files] == [("run.sh", True), ("sub/a.py", False)]


# --- the process -----------------------------------------------------------------------------------------------------


def test_a_package_is_read_in_a_process_of_its_own(tmp_path: Path) -> None:
    manifest = read_package(write(tmp_path, packed(entry("src/模型.py", b"x = 1\n") + END)), tmp_path / "out")
    assert everything(tmp_path / "out") == ["src", "src/模型.py"]
    assert manifest.files[0].bytes == 6


def test_that_process_tells_its_reason_and_what_it_wrote_is_gone(tmp_path: Path) -> None:
    archive = write(tmp_path, packed(entry("fine.py") + entry("../bad\x1b.py") + END))
    with pytest.raises(PackageError, match=r"`\.\./bad\\x1b\.py`: its path has a `\.\.`"):
        read_package(archive, tmp_path / "out")
    assert everything(tmp_path) == ["package.tar.gz"]


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(cpu_seconds=1, unpacked=2**40), "more than 1 s of processor time"),
        (Limits(seconds=1, cpu_seconds=60, unpacked=2**40), "more than 1 s$"),
    ],
    ids=["processor time", "clock"],
)
def test_a_bomb_that_the_count_would_let_through_ends_by_the_limits(limits: Limits, why: str, tmp_path: Path) -> None:
    archive = write(tmp_path, bomb(megabytes=40_000))
    with pytest.raises(PackageError, match=why):
        read_package(archive, tmp_path / "out", limits=limits)
    assert everything(tmp_path) == ["package.tar.gz"]


def test_a_process_that_fails_is_our_failure_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], -9, b"", b"MemoryError")

    monkeypatch.setattr(subprocess, "run", killed)
    with pytest.raises(EngineError, match="MemoryError"):
        read_package(write(tmp_path, packed(good() + END)), tmp_path / "out")
    assert everything(tmp_path) == ["package.tar.gz"]
