"""Ledgers whose time a test moves: SQLite's clock is given, in Redis all that was written down is made older."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from diagnoser.ledger.settings import LedgerSettings, milliseconds
from diagnoser.ledger.sqlite import SqliteLedger
from tests.helpers.redis_server import Server, redis_server
from workers.ledger import scripts
from workers.ledger.redis import RedisLedger

MakeBench = Callable[[LedgerSettings], "SqliteBench | RedisBench"]


class SqliteBench:
    """A new file."""

    def __init__(self, settings: LedgerSettings) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._now = 1_000_000_000_000
        self.ledger = SqliteLedger(Path(self._folder.name) / "ledger", settings=settings, clock=lambda: self._now)

    def pass_time(self, seconds: float) -> None:
        self._now += milliseconds(seconds)

    def close(self) -> None:
        self.ledger.close()
        self._folder.cleanup()


class RedisBench:
    """An emptied server."""

    def __init__(
        self, settings: LedgerSettings, *, server: Server, source: Callable[[str], str] = scripts.source
    ) -> None:
        self.admin = server.admin()
        self.admin.flushall()
        self.ledger = RedisLedger(server.url(), settings=settings, source=source)

    def pass_time(self, seconds: float) -> None:
        past = milliseconds(seconds)
        for key in self.admin.keys("diagnoser:*"):
            kind = key.split(":")[1]
            if kind in {"leases", "sent", "finished", "dead"}:
                for member in self.admin.zrange(key, 0, -1):
                    self.admin.zincrby(key, -past, member)
            elif kind in {"worker", "reconciler"}:
                left = self.admin.pttl(key) - past
                _ = self.admin.pexpire(key, left) if left > 0 else self.admin.delete(key)

    def close(self) -> None:
        self.ledger.close()
        self.admin.close()


@contextlib.contextmanager
def benches(back_end: str, folder: Path) -> Iterator[MakeBench]:
    """Give what makes a fresh ledger of this kind."""
    if back_end == "sqlite":
        yield SqliteBench
        return
    with redis_server(folder) as server:
        yield lambda settings: RedisBench(settings, server=server)
