"""Where a machine forbids what a level needs, the level is not reached, and the reason is said in words."""

import subprocess
import sys

import pytest

from diagnoser.sandbox.levels import bwrap, probe
from diagnoser.sandbox.levels.probe import try_level
from diagnoser.sandbox.levels.reach import why_not
from tests.diagnoser.sandbox.levels.behind_walls import only_linux

pytestmark = only_linux

FORBIDDEN = """
from diagnoser.sandbox.levels import landlock, seccomp
from diagnoser.sandbox.levels.probe import try_level
from diagnoser.sandbox.levels.reach import why_not

landlock.no_new_privileges()
seccomp.refuse(families=("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"), change_modes=True)
tried = try_level("bwrap")
print(tried.is_reached, why_not(tried))
"""


@pytest.mark.usefixtures("bubblewrap")
def test_a_container_that_forbids_namespaces() -> None:
    done = subprocess.run([sys.executable, "-c", FORBIDDEN], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False bwrap: ")
    assert "ermission" in done.stdout or "ermitted" in done.stdout
    assert "namespaces" in done.stdout


@pytest.mark.usefixtures("bubblewrap")
def test_an_older_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bwrap, "arguments", lambda *_, **__: ["bwrap", "--not-yet-known"])
    tried = try_level("bwrap")
    assert not tried.is_reached
    assert "0.8 or newer" in why_not(tried)


def test_no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bwrap, "program", lambda: None)
    assert "apt-get install bubblewrap" in why_not(try_level("bwrap"))


@pytest.mark.usefixtures("bubblewrap")
def test_a_canary_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SECONDS", 0.0)
    tried = try_level("bwrap")
    assert not tried.is_reached
    assert "did not answer" in why_not(tried)


@pytest.mark.usefixtures("bubblewrap")
def test_another_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "the level needs Linux" in why_not(try_level("landlock"))
