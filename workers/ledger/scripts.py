"""Which Lua does the ledger run? One file per call, after what they share; each is one transaction of Redis.

Redis rolls nothing back, so a script must not begin what it cannot end. With a `#!lua` line Redis refuses it whole when
memory is full, before its first command; without one it would refuse in the middle, at the first that takes memory.
"""

import functools
from pathlib import Path

HERE = Path(__file__).parent
READS = "read_"  # a script of this name writes nothing, and Redis holds it to that
WHEN_FULL = frozenset(
    {"renew", "release", "fail", "cancel", "sweep", "previous_boots", "may_reconcile", "finish_job", "delete_job"}
    | {"beat", "workers"}
)
"""What keeps and ends things takes a few bytes at most, and is what gives memory back: allowed when it is full."""


@functools.cache
def source(name: str) -> str:
    """Give the whole text of a script."""
    flags = " flags=no-writes" if name.startswith(READS) else " flags=allow-oom" if name in WHEN_FULL else ""
    return f"#!lua{flags}\n{_text('common')}\n{_text(name)}"


def names() -> tuple[str, ...]:
    """Name every script that can be called."""
    return tuple(sorted(file.stem for file in HERE.glob("*.lua") if file.stem != "common"))


def _text(name: str) -> str:
    return (HERE / f"{name}.lua").read_text(encoding="utf-8")
