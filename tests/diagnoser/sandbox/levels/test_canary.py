"""The canary gets out where nothing holds it, and nowhere behind bubblewrap; a wall that is missing, it finds."""

from pathlib import Path

import pytest

from diagnoser.sandbox.levels import bwrap, canary
from diagnoser.sandbox.levels.probe import LEFT_BEHIND, try_level
from tests.diagnoser.sandbox.levels.behind_walls import IS_ROOT, only_linux

pytestmark = only_linux
NEEDS_ANOTHER_LEVEL = {"own_environment"}  # a plain child of ours is handed the secret only by its supervisor


def test_without_walls_it_gets_at_everything() -> None:
    tried = try_level("process")
    names = {attempt.__name__ for attempt in canary.ATTEMPTS} | {LEFT_BEHIND}
    assert set(tried.got) == names - NEEDS_ANOTHER_LEVEL
    assert not tried.is_reached


@pytest.mark.usefixtures("bubblewrap")
def test_behind_bubblewrap_it_gets_nowhere() -> None:
    tried = try_level("bwrap")
    assert (tried.problem, dict(tried.got)) == (None, {})
    assert tried.is_reached


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    ("missing", "found"),
    [
        ("network", {"network", "unix_socket_without_a_path"}),
        pytest.param("proc", {"writing_outside"}, marks=pytest.mark.skipif(not IS_ROOT, reason="root's alone")),
        ("outside", {"secret_file", "secret_folder", "writing_outside", "rights_outside", "unix_socket_with_a_path"}),
    ],
)
def test_a_wall_that_is_missing_it_finds(missing: str, found: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bwrap.arguments

    def with_a_hole(*arguments, out: Path, **more) -> list[str]:
        said = whole(*arguments, out=out, **more)
        if missing == "network":
            return [said[0], "--unshare-all", "--share-net", *said[2:]]
        if missing == "proc":
            place = said.index("--remount-ro")
            return said[:place] + said[place + 2 :]
        place = said.index("--bind")
        return [*said[:place], "--bind", str(out.parent), str(out.parent), *said[place:]]

    monkeypatch.setattr(bwrap, "arguments", with_a_hole)
    assert set(try_level("bwrap").got) == found
