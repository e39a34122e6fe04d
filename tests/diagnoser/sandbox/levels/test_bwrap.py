"""What bubblewrap is told: what the code may see, at its own paths, and no temporary file system without a size."""

from pathlib import Path

from diagnoser.sandbox.levels import bwrap
from diagnoser.sandbox.levels.ceilings import Ceilings
from diagnoser.sandbox.levels.seen import Seen

SEEN = Seen(
    folder=Path("/home/me/project"),
    data=(Path("/data/mnist"),),
    python=(Path("/home/me/project/.venv"), Path("/usr/local/python")),
    variables={},
    cuda=False,
)
OUT = Path("/tmp/diagnoser-1/child-1")


def words(seen: Seen = SEEN) -> list[str]:
    return bwrap.arguments(seen, Ceilings(temporary_bytes=1000), out=OUT, command=["python", "enter.py"])


def mounted(said: list[str], how: str) -> list[str]:
    return [said[place + 2] for place, word in enumerate(said) if word == how]


def test_the_code_gets_namespaces_and_no_rights() -> None:
    text = " ".join(words())
    for part in (
        "--unshare-all --unshare-user --disable-userns --die-with-parent --new-session --cap-drop ALL",
        "--uid 65534 --gid 65534",
        "--chdir /home/me/project -- python enter.py",
    ):
        assert part in text


def test_folders_are_read_only_but_one_and_what_contains_another_comes_first() -> None:
    said = words()
    assert mounted(said, "--bind") == [str(OUT)]
    shown = [path for path in mounted(said, "--ro-bind") if path.startswith(("/home", "/data", "/usr/local"))]
    assert shown == ["/data/mnist", "/home/me/project", "/usr/local/python", "/home/me/project/.venv"]
    assert said.index(str(OUT)) > said.index("/home/me/project/.venv")


def test_each_temporary_file_system_has_a_size_or_is_read_only() -> None:
    said = words()
    for place in ("/tmp", "/dev/shm"):
        assert f"--size 1000 --perms 1777 --tmpfs {place}" in " ".join(said)
    assert said.count("--tmpfs") == 2
    read_only = [said[place + 1] for place, word in enumerate(said) if word == "--remount-ro"]
    assert read_only == ["/proc", "/dev", "/"]  # bubblewrap's own for /dev and / have half of the memory


def test_the_machines_users_have_no_names_inside() -> None:
    said = words()
    place = said.index("/etc/passwd")
    assert Path(said[place - 1]).read_text(encoding="utf-8").startswith("nobody:")


def test_gpus_are_there_for_those_who_may_use_them(monkeypatch) -> None:
    monkeypatch.setattr(bwrap, "nvidia_devices", lambda: ("/dev/nvidia0", "/dev/nvidiactl"))
    assert "/dev/nvidia0" not in words()
    seen = Seen(folder=SEEN.folder, data=(), python=(), variables={}, cuda=True)
    assert "--dev-bind-try /dev/nvidia0 /dev/nvidia0 --dev-bind-try /dev/nvidiactl" in " ".join(words(seen))
