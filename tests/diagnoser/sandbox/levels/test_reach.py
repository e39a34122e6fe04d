"""One gets the level that one asked for or an error that says what is in the way; never silently a weaker one."""

from collections.abc import Callable, Mapping

import pytest

from diagnoser.errors import UsageError
from diagnoser.sandbox.levels.level import Level
from diagnoser.sandbox.levels.probe import Tried
from diagnoser.sandbox.levels.reach import reach, require

Attempt = Callable[[Level], Tried]


def machine(**outcomes: Tried) -> Attempt:
    return lambda level: outcomes[level]


def holds(level: Level, *, gaps: tuple[str, ...] = ()) -> Tried:
    return Tried(level, dict.fromkeys(gaps, "connected"), gaps=gaps)


def leaks(level: Level, got: Mapping[str, str]) -> Tried:
    return Tried(level, got)


ABSENT = Tried("bwrap", {}, problem="bwrap is not installed")
AS_ROOT = Tried("landlock", {}, problem="root passes by Landlock")


def test_a_level_that_holds_is_given_with_what_it_lets_through() -> None:
    reached = reach("landlock", attempt=machine(landlock=holds("landlock", gaps=("unix_socket_with_a_path",))))
    assert reached.level == "landlock"
    assert reached.gaps == ("a Unix socket with a path",)


@pytest.mark.parametrize(
    ("level", "tried", "words"),
    [
        ("bwrap", ABSENT, "bwrap is not installed (`apt-get install bubblewrap`"),
        ("bwrap", Tried("bwrap", {}, problem="bwrap: Unknown option --size"), "bubblewrap 0.8 or newer"),
        ("bwrap", Tried("bwrap", {}, problem="No permissions to create new namespace"), "namespaces"),
        ("landlock", AS_ROOT, "run it as an ordinary user"),
        ("landlock", leaks("landlock", {"signal_outside": "killed"}), "the canary got at killing the supervisor"),
        ("landlock", leaks("landlock", {"signal_outside": "killed"}), "Linux 6.12"),
    ],
)
def test_one_that_does_not_is_an_error_with_what_to_do(level: Level, tried: Tried, words: str) -> None:
    with pytest.raises(UsageError) as error:
        reach(level, attempt=machine(**{level: tried}))
    assert words in str(error.value)
    assert f"--sandbox {level}" in str(error.value)


def test_auto_takes_the_strongest_and_tells_why_no_stronger_one() -> None:
    assert reach("auto", attempt=machine(bwrap=holds("bwrap"))).level == "bwrap"
    weaker = reach("auto", attempt=machine(bwrap=ABSENT, landlock=holds("landlock")))
    assert weaker.level == "landlock"
    assert "not installed" in weaker.line
    none = reach("auto", attempt=machine(bwrap=ABSENT, landlock=AS_ROOT))
    assert none.level == "process"
    assert "your own code, not isolated" in none.line


def test_process_is_there_without_a_try() -> None:
    assert reach("process", attempt=machine()).level == "process"


def test_a_service_does_not_start_below_its_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIAGNOSER_SANDBOX_REQUIRE", raising=False)
    nothing, some = machine(bwrap=ABSENT, landlock=AS_ROOT), machine(bwrap=ABSENT, landlock=holds("landlock"))
    assert require(attempt=some).level == "landlock"
    assert require("process", attempt=nothing).level == "process"
    with pytest.raises(UsageError, match=r"level landlock, which DIAGNOSER_SANDBOX_REQUIRE asks for") as error:
        require(attempt=nothing)
    assert "bwrap is not installed" in str(error.value)
    monkeypatch.setenv("DIAGNOSER_SANDBOX_REQUIRE", "bwrap")
    with pytest.raises(UsageError):
        require(attempt=some)
    monkeypatch.setenv("DIAGNOSER_SANDBOX_REQUIRE", "docker")
    with pytest.raises(UsageError, match="there is no such level"):
        require(attempt=some)
