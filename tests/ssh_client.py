"""What the SSH tests have in common: connect once, write ~/.ssh, let keys in, run an agent."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores.base import LoginProvider, RemoteSpec
from modelkeep.core.stores.limits import Limits
from modelkeep.core.stores.registry import open_store
from modelkeep.core.stores.ssh_auth import Keys
from modelkeep.core.stores.ssh_config import resolve
from modelkeep.core.stores.ssh_connect import Connection
from modelkeep.core.stores.ssh_stages import Stage
from servers import SshServer

SHORT = Limits(connect=3, banner=3, auth=5, silence=1.5, keepalive=1)


def log_in(
    server: SshServer | int,
    login: object,
    *,
    keyfile: Path | str = "",
    user: str = "",
    host: str = "127.0.0.1",
    progress: Progress = SILENT,
    limits: Limits = SHORT,
    alone: bool = False,
) -> dict[Stage, str]:
    """Connect to the server (or a port), log in, close; returns the facts of every stage that was reached."""
    facts: dict[Stage, str] = {}
    port = server if isinstance(server, int) else server.port
    user = user or (server.shell.user if isinstance(server, SshServer) else "ann")
    route = resolve(host, user, port)
    keys = Keys(str(keyfile), alone=alone)
    Connection(route, keys, login, limits, progress, reached=facts.__setitem__).close()  # type: ignore[arg-type]
    return facts


def use(spec: RemoteSpec, login: LoginProvider) -> None:
    """Open the store that `spec` describes, prepare it, and close it."""
    store = open_store(spec, login, limits=SHORT)
    try:
        store.prepare()
    finally:
        store.close()


def write(home: Path, text: str, name: str = "config") -> Path:
    """Write a file of ~/.ssh."""
    file = home / ".ssh" / name
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.write_text(text)
    return file


def authorize(server: SshServer, public: Path | bytes) -> None:
    """Let a key in as well: the file of its public half, or the key itself."""
    if isinstance(public, Path):
        line = public.read_text()
    else:
        kind = public[4 : 4 + int.from_bytes(public[:4], "big")].decode()
        line = f"{kind} {base64.b64encode(public).decode()}\n"
    with (server.keys / server.shell.user).open("a") as stream:
        stream.write(line)


def certify(ca: Path, key: Path, user: str, *extra: str) -> Path:
    """A certificate of `key` for `user`, beside it."""
    subprocess.run(["ssh-keygen", "-q", "-s", ca, "-I", "test", "-n", user, *extra, f"{key}.pub"], check=True)
    return key.with_name(f"{key.name}-cert.pub")


@contextmanager
def ssh_agent(sock: Path) -> Iterator[Path]:
    """A running ssh-agent without keys at `sock`."""
    process = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    try:
        while not sock.exists():
            assert process.poll() is None
        yield sock
    finally:
        process.terminate()
        process.wait(5)
