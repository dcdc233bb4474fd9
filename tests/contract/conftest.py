"""The stores every contract test runs against: a folder, a shell account and an SFTP-only account."""

from __future__ import annotations

import shutil
import time
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


@pytest.fixture(scope="session")
def _places() -> Iterator[dict[str, Place]]:
    """The stores opened so far: a connection costs more than most tests."""
    places: dict[str, Place] = {}
    yield places
    for place in places.values():
        place.store.close()


@pytest.fixture(params=["local", "shell", "sftp_only"])
def place(
    request: pytest.FixtureRequest,
    ssh: servers.SshServer,
    tmp_path_factory: pytest.TempPathFactory,
    _places: dict[str, Place],
) -> Place:
    """Each kind of store in turn, empty and prepared."""
    kind: str = request.param
    account = {"local": None, "shell": ssh.shell, "sftp_only": ssh.sftp_only}[kind]
    if kind == "sftp_only" and account is None:
        pytest.skip(servers.NO_ROOT)
    if kind not in _places:
        folder = account.folder / "store" if account else tmp_path_factory.mktemp("local") / "store"
        spec = spec_of(ssh, account=account) if account else RemoteSpec("local", str(folder))
        _places[kind] = Place(open_store(spec, servers.Login(), limits=SHORT), folder, kind)
    found = _places[kind]
    shutil.rmtree(found.folder, ignore_errors=True)
    found.store.prepare()
    return found


@pytest.fixture
def connect(ssh: servers.SshServer, home: Path, tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Open a store on the shell account, by key and over `port` if given; closed after the test."""
    opened: list[Store] = []

    def call(
        *,
        port: int | None = None,
        limits: Limits = SHORT,
        wait: Callable[[float], None] = time.sleep,
        **options: str,
    ) -> Store:
        trust(home, ssh, port)
        spec = spec_of(ssh, port=port, folder=f"store-{tmp_path.name}", **options)
        opened.append(open_store(spec, servers.Login(), limits=limits, wait=wait))
        return opened[-1]

    yield call
    for store in opened:
        store.close()


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
