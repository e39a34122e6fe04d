"""Which level does user code get here? The one that was asked for, or an error; never silently a weaker one."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from diagnoser.errors import UsageError
from diagnoser.sandbox.levels.level import LEVELS, Level
from diagnoser.sandbox.levels.probe import Tried, try_level

VARIABLE = "DIAGNOSER_SANDBOX_REQUIRE"
SERVICE_NEEDS: Level = "landlock"  # of a service whose operator says nothing
NOT_ISOLATED = "your own code, not isolated"

WORDS = {
    "network": "the network of this machine",
    "unix_socket_with_a_path": "a Unix socket with a path",
    "unix_socket_without_a_path": "an abstract Unix socket",
    "secret_file": "a file that was not named",
    "secret_folder": "a folder that was not named",
    "environment": "the environment of another process",
    "own_environment": "the environment of the supervisor, handed to it",
    "writing_outside": "writing outside its folder",
    "rights_outside": "the rights of a file outside",
    "signal_outside": "killing the supervisor",
    "limits_outside": "the limits of the supervisor",
    "process_left_behind": "a process that outlives the supervisor",
}


@dataclass(frozen=True)
class Reached:
    """A level that holds here, what it lets through nevertheless, and why stronger ones do not hold."""

    level: Level
    gaps: tuple[str, ...] = ()  # in words
    missed: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """Say it in one line."""
        said = f"sandbox level {self.level}" + (f": {NOT_ISOLATED}" if self.level == "process" else "")
        return said + "".join(f"; {why}" for why in self.missed)


def reach(asked: str, *, attempt: Callable[[Level], Tried] = try_level) -> Reached:
    """Give the level that was asked for, or for `auto` the strongest that holds.

    Raises UsageError with the attempt that got through and what can be done.
    """
    if asked == "auto":
        return strongest(attempt=attempt)
    level = _level(asked, said_by="--sandbox")
    if level == "process":
        return Reached(level)
    tried = attempt(level)
    if not tried.is_reached:
        raise UsageError(f"--sandbox {level}: {why_not(tried)}")
    return Reached(level, gaps=_in_words(tried.gaps))


def strongest(*, attempt: Callable[[Level], Tried] = try_level) -> Reached:
    """Give the strongest level that holds; `process` always does, for it promises nothing."""
    missed: list[str] = []
    for level in LEVELS:
        if level == "process":
            break
        tried = attempt(level)
        if tried.is_reached:
            return Reached(level, gaps=_in_words(tried.gaps), missed=tuple(missed))
        missed.append(f"{level}: {why_not(tried)}")
    return Reached("process", missed=tuple(missed))


def require(level: str | None = None, *, attempt: Callable[[Level], Tried] = try_level) -> Reached:
    """Give the strongest level that holds, if it is `level` or better: the service's way in.

    None: what DIAGNOSER_SANDBOX_REQUIRE says, else `landlock`. Raises UsageError below it.
    """
    least = _level(level or os.environ.get(VARIABLE) or SERVICE_NEEDS, said_by=VARIABLE)
    found = strongest(attempt=attempt)
    if LEVELS.index(found.level) > LEVELS.index(least):
        reasons = "".join(f"\n  {why}" for why in found.missed)
        raise UsageError(f"this machine does not reach the sandbox level {least}, which {VARIABLE} asks for:{reasons}")
    return found


def why_not(tried: Tried) -> str:
    """Say what is in the way, and what to do."""
    if tried.problem is not None:
        return f"{tried.problem} ({_advice(tried.level, tried.problem)})"
    got = ", ".join(_in_words([attempt for attempt in tried.got if attempt not in tried.gaps]))
    return f"the canary got at {got} ({_advice(tried.level, got)})"


def _in_words(attempts: Mapping[str, str] | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(WORDS.get(attempt, attempt) for attempt in attempts)


def _level(asked: str, *, said_by: str) -> Level:
    for level in LEVELS:
        if level == asked:
            return level
    raise UsageError(f"{said_by} {asked}: there is no such level; choose one of {', '.join(LEVELS)}")


def _advice(level: Level, problem: str) -> str:
    if "needs Linux" in problem:
        return "run it in a Linux container or machine, or leave the option out"
    if level == "landlock":
        if "root" in problem:
            return "run it as an ordinary user, or choose --sandbox bwrap"
        return "it takes Linux 6.12 with Landlock among its security modules; or choose --sandbox bwrap"
    if "not installed" in problem:
        return "`apt-get install bubblewrap`, or the like"
    if "nknown option" in problem:
        return "it takes bubblewrap 0.8 or newer"
    return _why_no_namespaces()


def _why_no_namespaces() -> str:
    if _says("/proc/sys/user/max_user_namespaces", "0"):
        return "user namespaces are switched off: `sysctl user.max_user_namespaces=10000`"
    if _says("/proc/sys/kernel/unprivileged_userns_clone", "0"):
        return "user namespaces are kept for root: `sysctl kernel.unprivileged_userns_clone=1`"
    if _says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"):
        return "AppArmor forbids user namespaces: give bwrap a profile that has `userns`"
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return "a container's default seccomp profile forbids namespaces: start it with one that allows them"
    return "bubblewrap must be able to make user namespaces and mounts; see docs/isolation.md"


def _says(file: str, text: str) -> bool:
    try:
        return Path(file).read_text(encoding="ascii").strip() == text
    except OSError:
        return False
