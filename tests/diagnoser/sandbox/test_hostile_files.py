"""A folder that somebody hostile writes to is read, measured and removed, and nothing outside it is touched."""

import os
from pathlib import Path

import pytest

from diagnoser.sandbox import hostile_files
from diagnoser.sandbox.hostile_files import NotRegularError


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1000)
    assert hostile_files.read(tmp_path / "file", most=1000) == b"x" * 1000


@pytest.mark.parametrize("what", ["link", "dangling link", "fifo", "folder", "too much"])
def test_anything_else_is_refused_at_once(tmp_path: Path, what: str) -> None:
    file = tmp_path / "file"
    if what == "link":
        (tmp_path / "secret").write_bytes(b"secret")
        file.symlink_to(tmp_path / "secret")
    elif what == "dangling link":
        file.symlink_to(tmp_path / "absent")
    elif what == "fifo":
        os.mkfifo(file)  # a reader would wait for somebody who writes
    elif what == "folder":
        file.mkdir()
    else:
        file.write_bytes(b"x" * 1001)
    with pytest.raises(NotRegularError, match=r"it is no file|more than 1,000 bytes"):
        hostile_files.read(file, most=1000)


def test_what_is_not_there_is_another_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hostile_files.read(tmp_path / "absent", most=10)


def test_a_size_follows_no_links(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"x" * 100_000)
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").write_bytes(b"x" * 8192)
    (folder / "link").symlink_to(tmp_path / "outside")
    size = hostile_files.size(folder, most_files=10)
    assert (size.files, size.is_whole) == (3, True)
    assert 8192 <= size.bytes < 50_000


def test_a_size_is_not_counted_for_ever(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / str(number)).touch()
    assert hostile_files.size(tmp_path, most_files=20).files == 21


def test_a_folder_deeper_than_any_path_is_removed_with_what_nobody_may_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (outside / "kept").write_text("kept", encoding="utf-8")
    outside.chmod(0o500)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    (folder / "closed").mkdir()
    (folder / "closed" / "inner").mkdir()
    (folder / "closed" / "inner" / "file").touch()
    (folder / "closed" / "inner").chmod(0)
    (folder / "closed").chmod(0)
    here = Path.cwd()
    os.chdir(folder)
    try:
        for _ in range(1500):  # 7,500 bytes of path; shutil.rmtree ends with RecursionError
            os.mkdir("deep")  # noqa: PTH102 (as those that follow, of a folder without a path)
            os.chdir("deep")
    finally:
        os.chdir(here)
    hostile_files.remove(folder)
    assert not folder.exists()
    assert (outside / "kept").read_text(encoding="utf-8") == "kept"
    assert outside.stat().st_mode & 0o777 == 0o500


def test_what_is_no_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    hostile_files.remove(tmp_path / "link")
    hostile_files.remove(tmp_path / "absent")
    assert (tmp_path / "outside").exists()
