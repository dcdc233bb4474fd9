"""Keys that are renewed in the middle of work, and links that break or freeze just then."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest

import servers
from contract.conftest import spec_of, trust
from contract.objects import put, some_objects
from contract.test_ssh_link import in_two_seconds
from modelkeep.core.progress import Progress
from modelkeep.core.stores import ssh as ssh_store
from modelkeep.core.stores.base import Store
from modelkeep.core.stores.limits import DEFAULT
from modelkeep.core.stores.registry import open_store
from modelkeep.core.stores.ssh_library import paramiko
from modelkeep.core.stores.ssh_packets import Packets

Connect = Callable[..., Store]


@pytest.fixture
def link(ssh: servers.SshServer) -> Iterator[servers.Link]:
    with servers.link_to(ssh) as link:
        yield link


@pytest.fixture
def renewals(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """One entry for every time that keys were agreed on."""
    seen: list[threading.Thread] = []
    agreed = paramiko.Transport._parse_newkeys

    def noting(self: paramiko.Transport, message: paramiko.Message) -> None:
        seen.append(self)
        agreed(self, message)

    monkeypatch.setattr(paramiko.Transport, "_parse_newkeys", noting)
    return seen


def both_ways(store: Store, data: dict[str, bytes]) -> None:
    """Send all of it, and something else while it is read."""
    assert put(store, data).failed == {}
    found: list[dict[str, Exception]] = []
    more = {f"{key}x": content for key, content in data.items()}
    sending = threading.Thread(target=lambda: found.append(put(store, more).failed))
    sending.start()
    assert {key: b"".join(chunks) for key, chunks in store.read_many(data)} == data
    sending.join()
    assert found == [{}]


def test_commands_end_while_we_renew_the_keys(
    ssh: servers.SshServer,
    connect: Connect,
    renewals: list[threading.Thread],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the server says of a channel then has to wait, or the thread that renews them waits for itself."""
    monkeypatch.setattr(Packets, "REKEY_BYTES", 1 << 20)
    monkeypatch.setattr(ssh_store, "BATCH_FILES", 20)
    before = ssh.log().count("Accepted publickey")
    waited = stalls(monkeypatch)
    both_ways(connect(limits=DEFAULT), some_objects(80, 100_000))
    assert len(renewals) > 10
    assert waited == []
    assert ssh.log().count("Accepted publickey") == before + 1  # the connection never broke


def stalls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for every message that a transport has to wait with in its own thread."""
    found: list[str] = []
    send = paramiko.Transport._send_user_message

    def noting(self: paramiko.Transport, data: object) -> None:
        if threading.current_thread() is self and not self.clear_to_send.is_set():
            found.append(self.name)
        send(self, data)

    monkeypatch.setattr(paramiko.Transport, "_send_user_message", noting)
    return found


def test_a_server_that_often_renews_the_keys(
    home: object, tmp_path_factory: pytest.TempPathFactory, renewals: list[threading.Thread]
) -> None:
    with servers.ssh_server(tmp_path_factory.mktemp("often"), config="RekeyLimit 1M") as server:
        trust(home, server)  # type: ignore[arg-type]
        with open_store(spec_of(server), servers.Login(), limits=DEFAULT) as store:
            both_ways(store, {**some_objects(40, 100_000), "files/md5/aa/large": os.urandom(3 << 20)})
        assert len(renewals) > 10
        assert server.log().count("Accepted publickey") == 1


@pytest.mark.parametrize("kind", ["one", "many"])
def test_cancel_while_keys_are_renewed_on_a_frozen_link(
    link: servers.Link, connect: Connect, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    store, progress = connect(port=link.port, limits=DEFAULT), Progress()
    store.prepare()
    monkeypatch.setattr(Packets, "REKEY_BYTES", 4 << 20)
    frozen, begin = threading.Event(), paramiko.Transport._send_kex_init

    def freezing(self: paramiko.Transport) -> None:
        begin(self)
        link.freeze()
        frozen.set()

    monkeypatch.setattr(paramiko.Transport, "_send_kex_init", freezing)
    data = {"files/md5/aa/large": os.urandom(20 << 20)} if kind == "one" else some_objects(40, 500_000)

    def work() -> None:
        put(store, data, progress)

    in_two_seconds(progress, work, event=frozen)
    link.thaw()
    monkeypatch.setattr(paramiko.Transport, "_send_kex_init", begin)
    assert put(store, {"k": b"1"}).done == {"k": 1}
