"""The same files are the same package, on every machine; and what is packed comes out again as it was."""

import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diagnoser.packages import packing
from diagnoser.packages.names import problem_with, same_for_some_systems
from diagnoser.packages.packing import pack
from diagnoser.packages.refusal import PackageError
from diagnoser.packages.selecting import select
from diagnoser.packages.sizes import Limits
from diagnoser.packages.unpacking import unpack

FILES = {"diagnose.yaml": b"model: m:f\n", "m.py": b"x = 1\n", "sub/\u6a21 \u578b.py": b"", ".hidden": bytes(3000)}
KNOWN = "2cd05d9a5f41c2a83163d553c206978724e76368d480f30bedce5271a7ffb218"


def tree(root: Path, files: dict[str, bytes], *, order: int = 0, umask: int = 0o022) -> Path:
    before = os.umask(umask)
    try:
        names = sorted(files)
        random.Random(order).shuffle(names)
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(files[name])
            os.utime(root / name, (order, 10**9 + order))
    finally:
        os.umask(before)
    return root / "diagnose.yaml"


def test_the_package_does_not_depend_on_folder_order_time_or_umask(tmp_path: Path) -> None:
    found = set()
    for order, umask in ((1, 0o022), (2, 0o077), (3, 0o002)):
        (tmp_path / str(order)).mkdir()
        spec = tree(tmp_path / str(order), FILES, order=order, umask=umask)
        packed = pack(select(spec), tmp_path / f"{order}.tar.gz")
        found.add((packed.sha256, packed.manifest.content, (tmp_path / f"{order}.tar.gz").read_bytes()))
    assert len(found) == 1
    ((_, _, archive),) = found
    assert archive[3:8] == bytes(5)  # no name in the gzip header, and no time


def test_the_content_has_one_hash_whatever_packed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another level stands for another zlib: other bytes, the same files."""
    selection = select(tree(tmp_path, FILES))
    one = pack(selection, tmp_path.parent / "one.tar.gz")
    monkeypatch.setattr(packing, "LEVEL", 1)
    other = pack(selection, tmp_path.parent / "other.tar.gz")
    assert one.sha256 != other.sha256
    assert one.manifest == other.manifest


@pytest.mark.parametrize("change", [{"m.py": b"x = 2\n"}, {"n.py": b"x = 1\n"}])
def test_another_content_or_name_is_another_package(change: dict[str, bytes], tmp_path: Path) -> None:
    one = pack(select(tree(tmp_path, FILES)), tmp_path.parent / "a.tar.gz")
    other = pack(select(tree(tmp_path, change)), tmp_path.parent / "b.tar.gz")
    assert one.sha256 != other.sha256
    assert one.manifest.content != other.manifest.content


def test_the_hash_of_a_known_content_stays_what_it_is(tmp_path: Path) -> None:
    """It is written into jobs and caches: a change would be a new version of the format."""
    packed = pack(select(tree(tmp_path, FILES)), tmp_path.parent / "known.tar.gz")
    assert packed.manifest.content == KNOWN


def test_a_package_that_grows_too_large_is_refused_and_no_half_of_it_stays(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    spec = tree(tmp_path / "source", {**FILES, "noise.bin": random.Random(0).randbytes(50_000)})
    with pytest.raises(PackageError, match=r"(?s)more than 20 kB packed.*50 kB  noise\.bin"):
        pack(select(spec), tmp_path / "package.tar.gz", limits=Limits(packed=20_000))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_a_large_package_is_written_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    selection = select(tree(tmp_path, FILES))
    assert pack(selection, tmp_path.parent / "p.tar.gz").warning is None
    monkeypatch.setattr(packing, "WARN_PACKED", 100)
    warning = pack(selection, tmp_path.parent / "p.tar.gz").warning
    assert warning is not None
    assert ".diagnoserignore" in warning


@pytest.mark.parametrize("length", [0, 5, 100_000])
def test_a_file_that_changes_meanwhile_is_named(length: int, tmp_path: Path) -> None:
    selection = select(tree(tmp_path, FILES))
    (tmp_path / ".hidden").write_bytes(bytes(length))
    with pytest.raises(PackageError, match=r"`\.hidden` changed while"):
        pack(selection, tmp_path.parent / "changed.tar.gz")
    assert not (tmp_path.parent / "changed.tar.gz").exists()


def test_a_file_that_became_a_link_meanwhile_is_not_followed(tmp_path: Path) -> None:
    selection = select(tree(tmp_path, FILES))
    (tmp_path / "m.py").unlink()
    (tmp_path / "m.py").symlink_to("diagnose.yaml")
    with pytest.raises(PackageError, match=r"`m\.py` cannot be read"):
        pack(selection, tmp_path.parent / "linked.tar.gz")


# --- there and back --------------------------------------------------------------------------------------------------

USUAL = st.text("ab \u6a21\u00e9\u00df.-_(7", min_size=1, max_size=12)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=40)
PARTS = st.one_of(USUAL, USUAL, ANY)
PATHS = st.lists(PARTS, min_size=1, max_size=5).map("/".join)
TREES = st.dictionaries(PATHS, st.tuples(st.binary(max_size=3000), st.booleans()), max_size=12)


def without_conflicts(files: dict[str, tuple[bytes, bool]]) -> dict[str, tuple[bytes, bool]]:
    """Leave out names that no package has, and whatever would be a file and a folder, or twice, elsewhere."""
    kept: dict[str, tuple[bytes, bool]] = {}
    folders: dict[str, str] = {}
    taken = {"diagnose.yaml"}
    for path, content in sorted(files.items()):
        parts = path.split("/")
        above = ["/".join(parts[:number]) for number in range(1, len(parts))]
        keys = [same_for_some_systems(each) for each in above]
        key = same_for_some_systems(path)
        fits = all(folders.get(k, each) == each and k not in taken for k, each in zip(keys, above, strict=True))
        if problem_with(path) is None and fits and key not in taken and key not in folders:
            folders.update(zip(keys, above, strict=True))
            taken.add(key)
            kept[path] = content
    return kept


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(files=TREES.map(without_conflicts))
def test_what_is_packed_comes_out_as_it_was(files: dict[str, tuple[bytes, bool]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        source, back, archive = Path(name, "source"), Path(name, "back"), Path(name, "package.tar.gz")
        source.mkdir()
        back.mkdir()
        spec = tree(source, {"diagnose.yaml": b"", **{path: content for path, (content, _) in files.items()}})
        for path, (_, executable) in files.items():
            (source / path).chmod(0o755 if executable else 0o644)
        selection = select(spec)
        packed = pack(selection, archive)
        with archive.open("rb") as file:
            manifest = unpack(file, back, limits=Limits())
        assert manifest == packed.manifest
        sent = {file.path: files.get(file.path, (b"", False)) for file in selection.files}
        found = {
            path.relative_to(back).as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
            for path in back.rglob("*")
            if path.is_file()
        }
        assert found == sent
        assert set(files) - set(sent) <= {each.path for each in selection.left_out} | inside(selection.left_out, files)


def inside(left_out: object, files: dict[str, tuple[bytes, bool]]) -> set[str]:
    folders = tuple(each.path for each in left_out if each.path.endswith("/"))  # type: ignore[attr-defined]
    return {path for path in files if path.startswith(folders)} if folders else set()
