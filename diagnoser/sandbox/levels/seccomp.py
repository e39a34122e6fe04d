"""Which system calls are refused from now on? A filter in the kernel; the standard library alone.

Covers: sockets of other families than those named, new namespaces and mounts, tracing and reading other processes,
limits and priorities of other processes, kernel modules, keys, System V memory, io_uring; and whatever another
architecture's numbers would be. At a level without a file system of its own (`change_modes=False`): owners and extended
attributes of files are refused; modes and times keep what they are *while the call says that all is well*, because
Landlock cannot keep them from files outside, and Python's own `shutil.copy2` needs the answer.
Does not cover: what a call does with an address (`connect`), `sched_setaffinity` of the user's other processes.
"""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterable, Sequence

# linux/bpf_common.h, linux/seccomp.h, linux/audit.h
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # places in struct seccomp_data
_KILL, _ERROR, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_PR_SET_SECCOMP, _FILTER = 22, 2
_X32 = 0x40000000  # an older numbering, on x86_64 alone
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # the second was never run
_COLUMN = {"x86_64": 0, "aarch64": 1}


def _table(text: str) -> dict[str, tuple[int | None, int | None]]:
    """Read `name, number on x86_64, number on aarch64`; a dash: it has none."""
    words = text.split()
    numbers = [None if word == "-" else int(word) for word in words[1::3]]
    others = [None if word == "-" else int(word) for word in words[2::3]]
    return dict(zip(words[::3], zip(numbers, others, strict=True), strict=True))


# unistd_64.h, asm-generic/unistd.h
REFUSED = _table("""
    ptrace 101 117           process_vm_readv 310 270   process_vm_writev 311 271  pidfd_getfd 438 438
    process_madvise 440 440  kcmp 312 272
    mount 165 40             umount2 166 39             pivot_root 155 41          chroot 161 51
    open_tree 428 428        move_mount 429 429         fsopen 430 430             fsconfig 431 431
    fsmount 432 432          fspick 433 433             mount_setattr 442 442
    unshare 272 97           setns 308 268              bpf 321 280                perf_event_open 298 241
    userfaultfd 323 282      keyctl 250 219             add_key 248 217            request_key 249 218
    io_uring_setup 425 425   io_uring_enter 426 426     io_uring_register 427 427
    open_by_handle_at 304 265  name_to_handle_at 303 264
    init_module 175 105      finit_module 313 273       delete_module 176 106
    kexec_load 246 104       kexec_file_load 320 294    reboot 169 142
    swapon 167 224           swapoff 168 225            acct 163 89
    shmget 29 194            shmat 30 196               semget 64 190              msgget 68 186
    mq_open 240 180
""")
OWNERS_AND_ATTRIBUTES = _table("""
    chown 92 -               fchown 93 55               lchown 94 -                fchownat 260 54
    setxattr 188 5           lsetxattr 189 6            fsetxattr 190 7            setxattrat 463 463
    removexattr 197 14       lremovexattr 198 15        fremovexattr 199 16        removexattrat 466 466
""")
MODES_AND_TIMES = _table("""
    chmod 90 -               fchmod 91 52               fchmodat 268 53            fchmodat2 452 452
    utime 132 -              utimes 235 -               futimesat 261 -            utimensat 280 88
""")
_SOCKET, _CLONE, _CLONE3, _PRLIMIT64 = (41, 198), (56, 220), (435, 435), (302, 261)
_SETPRIORITY, _IOPRIO_SET = (141, 140), (251, 30)

_Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def refuse(*, families: Iterable[str], change_modes: bool) -> None:
    """Set the filter, for this process and all that it starts; `families` are names such as `AF_UNIX`.

    Raises OSError on an architecture whose numbers are not known here.
    """
    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        raise OSError(f"no list of system calls for {machine}, only for {', '.join(ARCHITECTURES)}")
    allowed = [int(getattr(socket, family)) for family in families]
    content = b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in program(machine, families=allowed, change_modes=change_modes)
    )
    buffer = ctypes.create_string_buffer(content, len(content))
    filter_ = _Program(len(content) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(filter_), 0, 0) < 0:
        error = ctypes.get_errno()
        raise OSError(error, "the filter of system calls could not be set")


def program(machine: str, *, families: Sequence[int], change_modes: bool) -> list[_Instruction]:
    """Write the filter: the kernel runs it from the top at each system call."""
    column = _COLUMN[machine]
    steps: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        steps += [(_AT_LEAST, 0, 1, _X32), _error(errno.EPERM)]
    answers: dict[int | None, int] = {numbers[column]: errno.EPERM for numbers in REFUSED.values()}
    answers[_CLONE3[column]] = errno.ENOSYS  # whose flags no filter can see; the C library then calls clone
    if not change_modes:
        answers |= {numbers[column]: errno.EPERM for numbers in OWNERS_AND_ATTRIBUTES.values()}
        answers |= {numbers[column]: 0 for numbers in MODES_AND_TIMES.values()}
    for number, answer in answers.items():
        if number is not None:
            steps += [(_EQUAL, 0, 1, number), _error(answer)]
    one_of = [step for family in families for step in ((_EQUAL, 0, 1, family), _ok())]
    steps += _when(_SOCKET[column], [_argument(0), *one_of, _error(errno.EAFNOSUPPORT)])
    steps += _when(_CLONE[column], [_argument(0), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), _error(errno.EPERM), _ok()])
    for numbers, place in ((_PRLIMIT64, 0), (_SETPRIORITY, 1), (_IOPRIO_SET, 1)):  # 0 there: of this process itself
        steps += _when(numbers[column], [_argument(place), (_EQUAL, 0, 1, 0), _ok(), _error(errno.EPERM)])
    return [*steps, _ok()]


def _when(number: int, steps: list[_Instruction]) -> list[_Instruction]:
    """Do the steps, which end with an answer, at one call alone."""
    return [(_EQUAL, 0, len(steps), number), *steps]


def _argument(place: int) -> _Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * place)  # the lower half: these are all ints


def _error(number: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERROR | number)


def _ok() -> _Instruction:
    return (_RETURN, 0, 0, _ALLOW)
