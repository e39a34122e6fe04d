"""With which arguments is bubblewrap called? Namespaces of all kinds, a root of its own, and what the code may see.

Each temporary file system has a size or is read-only. That `/proc` is too is no decoration: where the launcher is
root, the code inside is root to the files of `/proc/sys`, which no namespace hides, and `core_pattern` names a program
that the kernel starts outside.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from diagnoser.sandbox.levels.ceilings import Ceilings
from diagnoser.sandbox.levels.seen import Seen

NOBODY = "65534"
ETC = Path(__file__).parent / "etc"
SYSTEM_LINKS = ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
PROCESSORS = ("/sys/devices/system/cpu", "/sys/devices/system/node")  # torch asks them how it should share work
NVIDIA = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia[0-9]*")  # never run: no GPU was at hand


def program() -> str | None:
    """Where bubblewrap is."""
    return shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")


def nvidia_devices() -> tuple[str, ...]:
    """List the device files that CUDA needs."""
    return tuple(sorted(str(file) for pattern in NVIDIA for file in Path("/dev").glob(pattern)))


def arguments(seen: Seen, ceilings: Ceilings, *, out: Path, command: Sequence[str]) -> list[str]:
    """Build the whole command line."""
    size = str(ceilings.temporary_bytes)
    said = [program() or "bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
    said += ["--new-session", "--cap-drop", "ALL", "--uid", NOBODY, "--gid", NOBODY, "--hostname", "sandbox"]
    said += ["--proc", "/proc", "--dev", "/dev"]
    said += [word for place in ("/dev/shm", "/tmp") for word in ("--size", size, "--perms", "1777", "--tmpfs", place)]  # noqa: S108
    said += ["--ro-bind", "/usr", "/usr", *_system()]
    if seen.cuda:
        said += [word for device in nvidia_devices() for word in ("--dev-bind-try", device, device)]
    # In the order of their depth: what is mounted later hides what lies there, and folders contain one another.
    for path in seen.read_only:
        said += ["--ro-bind", str(path), str(path)]
    said += ["--bind", str(out), str(out)]
    for place in ("/proc", "/dev", "/"):
        said += ["--remount-ro", place]
    return [*said, "--chdir", str(seen.folder), "--", *command]


def _system() -> list[str]:
    said = []
    for path in map(Path, SYSTEM_LINKS):
        if path.is_symlink():
            said += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            said += ["--ro-bind", str(path), str(path)]
    for name in (*SYSTEM_FILES, *PROCESSORS):
        said += ["--ro-bind-try", name, name]
    for name in ("passwd", "group"):  # whose names are nobody's: the machine's users are none of its business
        said += ["--ro-bind", str(ETC / name), f"/etc/{name}"]
    return said
