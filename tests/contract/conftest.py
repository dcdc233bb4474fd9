"""The stores every contract test runs against: a folder, a shell account and an SFTP-only account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import servers
from modelkeep.core.stores.base import RemoteSpec, Store
from modelkeep.core.stores.limits import Limits
from modelkeep.core.stores.registry import open_store

SHORT = Limits(connect=3, banner=3, auth=5, silence=1.5, keepalive=1)


@dataclass
class Place:
    """A store under test and the folder its bytes really lie in."""

    store: Store
    folder: Path
    kind: str


@pytest.fixture(scope="session", autouse=True)
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.SshServer]:
    """One real sshd for all tests of the contract."""
    with servers.ssh_server(tmp_path_factory.mktemp("sshd") / "d") as server:
        yield server


@pytest.fixture(params=["local", "shell", "sftp_only"])
def place(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Iterator[Place]:
    """Each kind of store in turn, empty and prepared."""
    if request.param == "local":
        yield Place(_prepared(RemoteSpec("local", str(tmp_path / "store"))), tmp_path / "store", "local")
        return
    server: servers.SshServer = request.getfixturevalue("ssh")
    account = server.shell if request.param == "shell" else server.sftp_only
    if account is None:
        pytest.skip(servers.NO_ROOT)
    trust(home, server)
    folder = f"store-{tmp_path.name}"
    store = _prepared(spec_of(server, account=account, folder=folder))
    yield Place(store, account.folder / folder, request.param)
    store.close()


@pytest.fixture
def connect(ssh: servers.SshServer, home: Path, tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Open a store on the shell account, by key and over `port` if given; closed after the test."""
    opened: list[Store] = []

    def call(
        *, port: int | None = None, login: servers.Login | None = None, limits: Limits = SHORT, **more: str
    ) -> Store:
        trust(home, ssh, port)
        spec = spec_of(ssh, port=port, folder=f"store-{tmp_path.name}", **more)
        opened.append(open_store(spec, login or servers.Login(), limits=limits))
        return opened[-1]

    yield call
    for store in opened:
        store.close()


def _prepared(spec: RemoteSpec) -> Store:
    store = open_store(spec, servers.Login(), limits=SHORT)
    store.prepare()
    return store


def spec_of(
    server: servers.SshServer,
    *,
    account: servers.Account | None = None,
    port: int | None = None,
    folder: str = "store",
    **options: str,
) -> RemoteSpec:
    """How to reach an account of the server; by its key unless `keyfile` says otherwise ("" for none)."""
    options.setdefault("keyfile", str(server.key))
    account = account or server.shell
    path = f"{account.path}/{folder}"
    return RemoteSpec("ssh", path, server.host, account.user, port or server.port, options)


def trust(home: Path, server: servers.SshServer, port: int | None = None) -> Path:
    """Put the server's key into this test's known_hosts."""
    file = home / ".ssh" / "known_hosts"
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with file.open("a") as stream:
        stream.write(server.known_hosts(port=port))
    return file
