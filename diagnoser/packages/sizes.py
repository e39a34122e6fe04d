"""How large may a package be, and how are sizes told?

The limits are those of the service's API. There is none for a single file: the total binds it, and a data set of 150 MB
in one file is as welcome as in a thousand. `cpu_seconds`, `seconds` and `memory` bound the reader's own process.
"""

from diagnoser.records import Record

MB = 1_000_000
GIB = 1024**3


class Limits(Record):
    """What a package may have at most, and what the process that reads it may use."""

    packed: int = 200 * MB  # bytes of the archive
    unpacked: int = GIB  # bytes of all files, counted while they are written
    files: int = 5_000  # more are data, and data belong into `data.paths`
    folders: int = 5_000
    cpu_seconds: int = 30  # one core read and wrote 1 GiB of zeros in 1.9 s, of numbers as text in 7 s
    seconds: int = 600  # by the clock; it ends what hangs, and a slow disk under load is no hang
    memory: int = GIB  # address space; Python with pydantic takes a fifth of it


LIMITS = Limits()
WARN_PACKED = 50 * MB  # bytes of an archive above which a slow line makes the user wait


def spelled(number: int) -> str:
    """Bytes as a person reads them."""
    for unit, size in (("GB", 1000 * MB), ("MB", MB), ("kB", 1000)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number} B"
