"""A Redis of the test's own, with the files that we ship: other port, folder and passwords, and nothing else."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

SHIPPED = Path(__file__).parents[2] / "docker" / "redis"
PASSWORDS = {
    "ADMIN_PASSWORD": "admin-in-tests",
    "WORKER_PASSWORD": "worker-in-tests",
    "GATEWAY_PASSWORD": "gateway-in-tests",
}
PATIENCE = 120.0  # seconds, on a machine that is very busy


class Server:
    """A redis-server that can be killed and started again on the same files."""

    def __init__(self, folder: Path, *, acl: str | None = None) -> None:
        self.folder = folder
        self.log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        acl = (SHIPPED / "users.acl").read_text(encoding="utf-8") if acl is None else acl
        for name, password in PASSWORDS.items():
            assert f" {name} " in acl, f"users.acl has lost its place for {name}"
            acl = acl.replace(f" {name} ", f" >{password} ")
        (folder / "users.acl").write_text(acl, encoding="utf-8")
        conf = (SHIPPED / "redis.conf").read_text(encoding="utf-8")
        ours = {"port 6379": f"port {self.port}", "aclfile /etc/diagnoser/users.acl": f"aclfile {folder}/users.acl"}
        for line, instead in {**ours, "dir /var/lib/diagnoser/redis": f"dir {folder}"}.items():
            assert f"\n{line}\n" in conf, f"redis.conf has lost its line {line!r}"
            conf = conf.replace(f"\n{line}\n", f"\n{instead}\n")
        (folder / "redis.conf").write_text(conf, encoding="utf-8")

    def url(self, user: str = "diagnoser-worker") -> str:
        """Give the address for one of the users of users.acl."""
        word = {"admin": "ADMIN", "diagnoser-worker": "WORKER", "diagnoser-gateway": "GATEWAY"}[user]
        return f"redis://{user}:{PASSWORDS[f'{word}_PASSWORD']}@127.0.0.1:{self.port}/0"

    def admin(self) -> Any:
        """Connect as the one who may do everything; to be closed."""
        return redis.Redis.from_url(self.url("admin"), decode_responses=True, protocol=2)

    def start(self) -> None:
        """Start it, and wait until it has read its file."""
        program = shutil.which("redis-server")
        assert program, "redis-server is missing: install it (Debian: apt-get install redis-server), the tests need it"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [program, str(self.folder / "redis.conf")], stdout=log, stderr=log, cwd=self.folder
            )
        until = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, f"redis-server ended: {self.said()[-2000:]}"
            assert time.monotonic() < until, f"redis-server does not answer: {self.said()[-2000:]}"
            time.sleep(0.02)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it, at once unless asked otherwise."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None

    def said(self) -> str:
        """Give its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _answers(self) -> bool:
        client = self.admin()
        try:
            return bool(client.ping())
        except redis.exceptions.ConnectionError:  # BusyLoadingError is one
            return False
        finally:
            client.close()


@contextmanager
def redis_server(folder: Path, *, acl: str | None = None) -> Iterator[Server]:
    """Run a server on the files of a folder."""
    server = Server(folder, acl=acl)
    server.start()
    try:
        yield server
    finally:
        server.kill()
