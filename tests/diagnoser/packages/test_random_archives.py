"""Whatever bytes come: an archive is refused in words, or taken whole and within its folder. There is no third end."""

import tempfile
import unicodedata
from io import BytesIO
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from diagnoser.packages.manifest import Manifest
from diagnoser.packages.names import same_for_some_systems
from diagnoser.packages.refusal import PackageError
from diagnoser.packages.sizes import Limits
from diagnoser.packages.unpacking import unpack
from tests.helpers.hostile_archives import BLOCK, END, good, header, packed, padded, patched, pax

SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PARTS = st.sampled_from(["a", "A", "b", ".", "..", "", "é", "e\u0301", "a.", " ", "\\", "\n", "\u202e", "ß", "ss"])
NAMES = st.one_of(st.lists(PARTS, min_size=1, max_size=4).map("/".join), st.text(max_size=30))
KINDS = st.one_of(st.sampled_from([b"0", b"0", b"0", b"5"]), st.sampled_from([bytes([each]) for each in range(256)]))
LIMITS = Limits(unpacked=5000, files=6, folders=6)


@st.composite
def entries(draw: st.DrawFn) -> bytes:
    """One entry, mostly well formed; its size may be a lie, and some of its bytes may be others."""
    content = draw(st.binary(max_size=600))
    size = draw(st.one_of(st.just(len(content)), st.integers(0, 10_000)))
    link = draw(st.one_of(st.just(""), st.just("/etc/passwd")))
    try:
        block = header(draw(NAMES), size=size, kind=draw(KINDS), mode=draw(st.integers(0, 0o7777)), link=link)
    except (ValueError, UnicodeEncodeError):  # longer than a header can say
        assume(False)
        raise
    if draw(st.booleans()):
        block = patched(block, draw(st.integers(0, BLOCK - 9)), draw(st.binary(max_size=8)))
    before = pax(("path", draw(NAMES))) if draw(st.integers(0, 4)) == 0 else b""
    return before + block + padded(content)


def outcome(archive: bytes) -> Manifest | None:
    """Read an archive; None: it is refused. Asserts what holds either way."""
    with tempfile.TemporaryDirectory() as name:
        root, into = Path(name), Path(name, "out")
        into.mkdir()
        (root / "neighbour").write_text("mine", encoding="utf-8")
        manifest, because = None, ""
        try:
            manifest = unpack(BytesIO(archive), into, limits=LIMITS)
        except PackageError as error:
            because = str(error)
        assert because.isprintable()
        assert sorted(path.name for path in root.iterdir()) == ["neighbour", "out"]
        found = list(into.rglob("*"))
        assert all(not path.is_symlink() and (path.is_file() or path.is_dir()) for path in found)
        assert all(path.stat().st_mode & 0o7777 in {0o644, 0o755, 0o600} for path in found)
        assert sum(path.stat().st_size for path in found if path.is_file()) <= LIMITS.unpacked
        if manifest is not None:
            told = [path.relative_to(into).as_posix() for path in found]
            assert all(unicodedata.is_normalized("NFC", path) for path in told)
            assert len({same_for_some_systems(path) for path in told}) == len(told)
            assert {path for path in told if (into / path).is_file()} == {file.path for file in manifest.files}
        return manifest


@SLOW
@given(st.lists(entries(), max_size=5))
def test_entries_at_random(parts: list[bytes]) -> None:
    outcome(packed(b"".join(parts) + END))


@SLOW
@given(st.integers(0, len(good()) - 1), st.binary(min_size=1, max_size=20))
def test_a_good_archive_with_other_bytes_in_its_tar(offset: int, new: bytes) -> None:
    tar = good() + END
    outcome(packed(tar[:offset] + new + tar[offset + len(new) :]))


@SLOW
@given(st.data())
def test_a_good_archive_with_other_bytes_in_its_gzip_file(data: st.DataObject) -> None:
    archive = packed(good() + END)
    offset = data.draw(st.integers(0, len(archive) - 1))
    flipped = bytes([archive[offset] ^ (1 << data.draw(st.integers(0, 7)))])
    told = outcome(archive[:offset] + flipped + archive[offset + 1 :])
    assert told in {None, outcome(archive)}  # another time in the header, or another way to say the same bytes


@SLOW
@given(st.binary(max_size=300))
def test_bytes_at_random(content: bytes) -> None:
    assert outcome(content) is None
    assert outcome(packed(content)) is None


def test_a_good_archive_is_taken() -> None:
    """Or the tests above would pass with a reader that refuses everything."""
    manifest = outcome(packed(good() + END))
    assert manifest is not None
    assert [file.path for file in manifest.files] == ["diagnose.yaml", "model.py"]
