"""The filter of system calls, run by a slow twin of the kernel's machine, gives the answer that the lists promise."""

import errno
import re
import socket
from pathlib import Path

import pytest

from diagnoser.sandbox.levels import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
X86, ARM = seccomp.ARCHITECTURES["x86_64"], seccomp.ARCHITECTURES["aarch64"]
HEADERS = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


def answer(machine: str, architecture: int, number: int, *arguments: int, change_modes: bool = False) -> int:
    steps = seccomp.program(machine, families=[socket.AF_UNIX], change_modes=change_modes)
    data = {0: number, 4: architecture, **{16 + 8 * place: value for place, value in enumerate(arguments)}}
    place, held = 0, 0
    while True:
        code, yes, no, operand = steps[place]
        place += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            held = data[operand]
        elif code == 0x15:
            place += yes if held == operand else no
        elif code == 0x35:
            place += yes if held >= operand else no
        else:
            assert code == 0x45
            place += yes if held & operand else no


def refused(number: int) -> int:
    return 0x00050000 | number


@pytest.mark.parametrize(("machine", "architecture", "column"), [("x86_64", X86, 0), ("aarch64", ARM, 1)])
def test_each_call_of_the_list_is_refused_and_reading_is_not(machine: str, architecture: int, column: int) -> None:
    for name, numbers in seccomp.REFUSED.items():
        number = numbers[column]
        assert number is not None
        assert answer(machine, architecture, number, 0, 0) == refused(errno.EPERM), name
    read = (0, 63)[column]
    assert answer(machine, architecture, read, 0) == ALLOW


def test_another_architecture_has_other_numbers_and_is_ended() -> None:
    assert answer("x86_64", ARM, 63) == KILL
    assert answer("x86_64", X86, 0x40000000) == refused(errno.EPERM)  # the x32 numbering


def test_sockets_are_of_the_families_that_were_named() -> None:
    assert answer("x86_64", X86, 41, socket.AF_UNIX) == ALLOW
    for family in (socket.AF_INET, socket.AF_INET6, 16, 40):  # netlink, vsock
        assert answer("x86_64", X86, 41, family) == refused(errno.EAFNOSUPPORT)


def test_processes_and_threads_are_made_but_no_namespaces() -> None:
    assert answer("x86_64", X86, 56, 0x1200011) == ALLOW  # fork
    assert answer("x86_64", X86, 56, 0x3D0F00) == ALLOW  # a thread
    assert answer("x86_64", X86, 56, 0x10000000) == refused(errno.EPERM)  # CLONE_NEWUSER
    assert answer("x86_64", X86, 435, 0) == refused(errno.ENOSYS)


def test_limits_are_for_oneself() -> None:
    assert answer("x86_64", X86, 302, 0, 7) == ALLOW
    assert answer("x86_64", X86, 302, 4711, 7) == refused(errno.EPERM)
    assert answer("x86_64", X86, 141, 0, 4711) == refused(errno.EPERM)  # setpriority


def test_modes_of_files_change_only_where_the_files_are_ones_own() -> None:
    assert answer("x86_64", X86, 90, 0) == refused(0)  # nothing is done, and all is well
    assert answer("x86_64", X86, 92, 0) == refused(errno.EPERM)  # chown
    assert answer("x86_64", X86, 90, 0, change_modes=True) == ALLOW


@pytest.mark.skipif(not HEADERS.exists(), reason="no kernel headers")
def test_the_numbers_are_those_of_the_headers() -> None:
    known = dict(re.findall(r"#define __NR_(\w+)\s+(\d+)", HEADERS.read_text(encoding="ascii")))
    for name, (number, _) in {**seccomp.REFUSED, **seccomp.OWNERS_AND_ATTRIBUTES, **seccomp.MODES_AND_TIMES}.items():
        if name in known and number is not None:
            assert int(known[name]) == number, name
