"""What may this process touch from now on? Linux's Landlock, by its three system calls; the standard library alone.

Covers: reading, running, writing, making and removing files outside the lists; TCP; signals and abstract Unix sockets
to processes outside (kernel 6.12); Unix sockets with a path outside (kernel 7.1).
Does not cover, and `seccomp.py` or a rlimit has to: other sockets, chmod and its like, memory, processor time. Root:
`enter.py` refuses it, for root may read another process's environment whatever Landlock says.
"""

import ctypes
import os
import stat
from collections.abc import Iterable

# linux/landlock.h, in its order; the ABI that brought each of the later ones
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_REMOVE_FILE, _MAKE_REG = 1 << 5, 1 << 8
_FIRST = (1 << 13) - 1
_LATER = {2: 1 << 13, 3: 1 << 14, 5: 1 << 15, 9: 1 << 16}  # refer, truncate, ioctl_dev, resolve_unix
_TRUNCATE, _IOCTL_DEV = _LATER[3], _LATER[5]
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_TCP_FROM, _TCP = 4, 0b11  # bind and connect
_SCOPES_FROM, _SCOPES = 6, 0b11  # abstract Unix sockets and signals

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same number on every architecture
_VERSION, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def abi() -> int:
    """Which version the kernel has; 0: none, or switched off."""
    return max(0, int(_library().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)))


def no_new_privileges() -> None:
    """Have no program that is started from here get more rights than this one; Landlock and seccomp demand it."""
    _checked(_library().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def restrict(*, read: Iterable[str], write: Iterable[str], devices: Iterable[str], shared: Iterable[str]) -> None:
    """Leave this process, and all that it starts, these paths and no others; what is not there is left out.

    `shared` are folders of many users' files: a file is made, opened and removed by its name, but not looked for.
    Raises OSError where the kernel has no Landlock.
    """
    version = abi()
    if not version:
        raise OSError("the kernel has no Landlock, or it is switched off")
    everything = _FIRST | sum(right for since, right in _LATER.items() if version >= since)
    rules = _Ruleset(everything, _TCP if version >= _TCP_FROM else 0, _SCOPES if version >= _SCOPES_FROM else 0)
    library = _library()
    ruleset = library.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    _checked(ruleset, "a set of Landlock rules")
    rights = (
        (read, _EXECUTE | _READ_FILE | _READ_DIR),
        (write, everything & ~_IOCTL_DEV),
        (devices, _READ_FILE | _WRITE_FILE | _IOCTL_DEV),
        (shared, _READ_FILE | _WRITE_FILE | _TRUNCATE | _MAKE_REG | _REMOVE_FILE),
    )
    for paths, allowed in rights:
        for path in paths:
            _allow(ruleset, path, allowed & everything)
    _checked(library.syscall(_RESTRICT_SELF, ruleset, 0), "Landlock's restriction")
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not stat.S_ISDIR(os.fstat(place).st_mode):
        rights &= _OF_A_FILE
    rule = _PathBeneath(rights, place)
    _checked(_library().syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0), f"a rule for {path}")
    os.close(place)


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(answer: int, what: str) -> None:
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what} could not be set: {os.strerror(error)}")
