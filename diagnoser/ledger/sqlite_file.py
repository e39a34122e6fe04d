"""How is the ledger's file opened: by one process at a time, and brought to the present form?

The lock is flock's on a file beside it: the system lets go of it when the process dies, however it dies. A forked child
would inherit it; our children are started by exec, which does not.
"""

import fcntl
import os
import sqlite3
from pathlib import Path

from diagnoser.ledger.errors import LedgerOwned, LedgerTooNew

HERE = Path(__file__).parent
BUSY_SECONDS = 30.0  # a backup may read for so long; nobody else writes
MIGRATIONS = ("schema_1.sql",)  # in order; `user_version` counts those that were applied


def own(file: Path) -> int:
    """Take the lock and give its descriptor, which holds it until it is closed. Raises LedgerOwned."""
    lock = os.open(file.with_name(f"{file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise LedgerOwned(f"another process works with {file}; stop it, or choose another file") from None
    return lock


def connect(file: Path) -> sqlite3.Connection:
    """Open the file, readable by its owner alone, with every migration applied. Raises LedgerTooNew."""
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # kill -9 loses nothing; a power cut the last commits
        migrate(connection, name=str(file))
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(connection: sqlite3.Connection, *, name: str) -> None:
    """Apply what is missing, each file in one transaction with its number."""
    (applied,) = connection.execute("PRAGMA user_version").fetchone()
    if applied > len(MIGRATIONS):
        raise LedgerTooNew(f"{name} was written by a newer version of diagnoser; use that one, or another file")
    for number, migration in enumerate(MIGRATIONS[applied:], start=applied + 1):
        text = (HERE / migration).read_text(encoding="utf-8")
        connection.executescript(f"BEGIN IMMEDIATE;\n{text}\nPRAGMA user_version = {number};\nCOMMIT;")
