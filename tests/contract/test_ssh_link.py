"""What the SSH store does on a link that breaks, stalls or is slow, through a real proxy to a real server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import servers
from contract.objects import Written, incoming, noting, put, some_objects
from modelkeep.core.errors import ConnectionLost
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores import ssh as ssh_store
from modelkeep.core.stores import ssh_connect
from modelkeep.core.stores.base import Incoming, Store
from modelkeep.core.stores.limits import DEFAULT
from modelkeep.core.stores.ssh_library import paramiko
from modelkeep.core.stores.ssh_packets import Packets

Connect = Callable[..., Store]


@pytest.fixture
def link(ssh: servers.SshServer) -> Iterator[servers.Link]:
    with servers.link_to(ssh) as link:
        yield link


def in_two_seconds(
    progress: Progress, work: Callable[[], object], after: float = 0.3, event: threading.Event | None = None
) -> None:
    """Cancel `work` a moment after `event` or the start; it must end with Cancelled within two seconds."""
    times: list[float] = []

    def cancel() -> None:
        if event is not None:
            assert event.wait(30)
            time.sleep(after)
        times.append(time.monotonic())
        progress.cancel()

    timer = threading.Timer(after, cancel)
    timer.start()
    try:
        with pytest.raises(Cancelled):
            work()
    finally:
        timer.join()
    assert time.monotonic() - times[0] < 2


def files(ssh: servers.SshServer, tmp_path: Path) -> set[str]:
    root = ssh.shell.folder / f"store-{tmp_path.name}"
    return {str(one.relative_to(root)) for one in root.rglob("*") if one.is_file()}


def test_a_cut_upload_goes_on_and_sends_nothing_finished_again(
    ssh: servers.SshServer,
    link: servers.Link,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssh_store, "BATCH_FILES", 40)
    store = connect(port=link.port)
    store.prepare()
    data = some_objects(160, 2000)
    again: list[str] = []
    written = Written()
    done_at_cut: list[set[str]] = []

    def items() -> Iterator[Incoming]:
        for count, (key, content) in enumerate(data.items()):
            if count == 150:
                done_at_cut.append(set(written.done))
                link.cut()
            yield noting(incoming(key, content), again)

    store.write_many(
        items(),
        Progress(),
        written.done.__setitem__,
        written.failed.__setitem__,
    )
    assert set(written.done) == set(data)
    assert written.failed == {}
    assert done_at_cut[0], "nothing was finished before the cut: the test proves nothing"
    assert link.connections == 2
    assert files(ssh, tmp_path) == set(data)  # and no temporary files
    assert again, "nothing was sent again: the cut came too late"
    assert done_at_cut[0].isdisjoint(again)


def test_a_cut_in_the_middle_of_a_big_object_sends_it_again(
    ssh: servers.SshServer, link: servers.Link, connect: Connect, tmp_path: Path
) -> None:
    store = connect(port=link.port)
    store.prepare()
    link.cut_up = 3 << 20
    content = b"0123456789abcdef" * (1 << 19)
    assert put(store, {"a/big": content}).done == {"a/big": len(content)}
    assert link.connections >= 2  # a busy machine may lose the second one too: the limits here are short
    assert b"".join(store.read("a/big")) == content
    assert files(ssh, tmp_path) == {"a/big"}


def test_a_cut_download_goes_on_where_it_stopped(link: servers.Link, connect: Connect) -> None:
    store = connect(port=link.port, limits=DEFAULT)  # a busy machine must not be taken for a silent one
    data = {"a": b"1" * 5000, "big": bytes(range(256)) * (1 << 15), **some_objects(50, 5000)}
    put(store, data)
    link.received, link.cut_down = 0, 4 << 20
    assert {key: b"".join(chunks) for key, chunks in store.read_many(data)} == data
    assert link.connections == 2
    assert link.received < 13 << 20  # the big object was not fetched twice in full


def test_a_cut_while_asking_is_not_noticed(link: servers.Link, connect: Connect) -> None:
    store = connect(port=link.port)
    data = some_objects(10)
    put(store, data)
    link.cut()
    assert store.sizes(data) == dict.fromkeys(data, 300)
    link.cut()
    assert {item.key for item in store.list("")} == set(data)


def test_a_link_that_stays_down_is_given_up(link: servers.Link, connect: Connect) -> None:
    store = connect(port=link.port, wait=lambda _: None)
    store.prepare()
    link.is_down = True
    link.cut()
    with pytest.raises(ConnectionLost):
        store.sizes(["a"])
    assert link.connections in (5, 6)  # the first break is noticed before or after asking
    link.is_down = False
    assert store.sizes(["a"]) == {}


def test_a_server_that_never_worked_is_not_tried_again(connect: Connect) -> None:
    store = connect(port=servers.free_port())
    began = time.monotonic()
    with pytest.raises(ConnectionLost, match="cannot be reached"):
        store.prepare()
    assert time.monotonic() - began < 2


def test_a_frozen_link_is_noticed(link: servers.Link, connect: Connect) -> None:
    store = connect(port=link.port).store  # type: ignore[attr-defined]  # without another attempt
    put(store, {"k": b"1"})
    link.freeze()
    began = time.monotonic()
    with pytest.raises(ConnectionLost, match="does not answer"):
        store.sizes(["k"])
    assert time.monotonic() - began < 4
    link.thaw()
    assert store.sizes(["k"]) == {"k": 1}


def test_a_link_frozen_in_an_upload_is_noticed(link: servers.Link, connect: Connect) -> None:
    store = connect(port=link.port).store  # type: ignore[attr-defined]
    store.prepare()
    threading.Timer(0.3, link.freeze).start()
    began = time.monotonic()
    with pytest.raises(ConnectionLost):
        store.write(incoming("big", bytes(64 << 20)))
    assert time.monotonic() - began < 8
    link.thaw()
    assert store.sizes(["big"]) == {}


@pytest.mark.parametrize("frozen", [False, True])
def test_cancel_in_an_upload(
    ssh: servers.SshServer, link: servers.Link, connect: Connect, tmp_path: Path, frozen: bool
) -> None:
    store = connect(port=link.port, limits=DEFAULT)
    store.prepare()
    progress = Progress()
    link.delay = 0.001
    if frozen:
        threading.Timer(0.15, link.freeze).start()
    in_two_seconds(progress, lambda: put(store, {"big": bytes(100 << 20)}, progress))
    link.thaw()
    link.delay = 0
    assert store.sizes(["big"]) == {}
    if not frozen:
        assert files(ssh, tmp_path) == set()
    assert put(store, {"k": b"1"}).done == {"k": 1}
    assert files(ssh, tmp_path) >= {"k"}


@pytest.mark.parametrize("frozen", [False, True])
def test_cancel_in_a_download(link: servers.Link, connect: Connect, frozen: bool) -> None:
    store = connect(port=link.port, limits=DEFAULT)
    put(store, {"big": bytes(30 << 20)})
    progress = Progress()
    link.delay = 0.005
    if frozen:
        threading.Timer(0.15, link.freeze).start()
    in_two_seconds(progress, lambda: [None for _ in store.read("big", progress=progress)])
    link.thaw()
    link.delay = 0
    assert store.sizes(["big"]) == {"big": 30 << 20}


def test_cancel_while_the_server_is_silent_at_the_start(link: servers.Link, connect: Connect) -> None:
    link.freeze()
    store = connect(port=link.port, limits=DEFAULT)
    progress = Progress()
    in_two_seconds(progress, lambda: store.sizes(["k"], progress=progress))


def test_cancel_in_the_middle_of_the_login(link: servers.Link, connect: Connect) -> None:
    store = connect(port=link.port, limits=DEFAULT)
    link.delay = 0.05  # each message, so that the cancel falls between two steps
    progress = Progress()
    in_two_seconds(progress, lambda: store.sizes(["k"], progress=progress))


@pytest.mark.parametrize(("request_", "keys"), [("exec_command", 100), ("invoke_subsystem", 1)])
def test_a_request_that_is_never_answered_is_given_up(
    link: servers.Link, connect: Connect, monkeypatch: pytest.MonkeyPatch, request_: str, keys: int
) -> None:
    store = connect(port=link.port).store  # type: ignore[attr-defined]  # without another attempt
    ask, data = getattr(paramiko.Channel, request_), some_objects(keys)

    def freezing(self: object, *rest: str) -> None:
        link.freeze()
        ask(self, *rest)

    monkeypatch.setattr(paramiko.Channel, request_, freezing)
    with pytest.raises(ConnectionLost, match="broke"):  # and not for ever, as the limit of every test shows
        store.sizes(data)
    monkeypatch.undo()
    link.thaw()
    assert put(store, data).failed == {}  # nothing was learnt of the account from that
    assert "by MD5" in store.describe()


def test_a_link_that_breaks_while_a_listing_is_confirmed(
    link: servers.Link, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, data = connect(port=link.port), some_objects(700)
    put(store, data)
    monkeypatch.setattr(ssh_connect, "_FOR_COMMANDS", 1 << 15)  # so that there is something to confirm
    send, broken = Packets.send_message, []

    def breaking(self: Packets, message: object) -> None:
        if not broken and isinstance(message, paramiko.Message) and message.asbytes()[:1] == b"]":
            broken.append(message)
            link.cut()
            self._wire._sock.shutdown(socket.SHUT_WR)
        send(self, message)

    monkeypatch.setattr(Packets, "send_message", breaking)
    assert store.sizes(data) == dict.fromkeys(data, 300)
    assert broken and link.connections == 2
    broken.clear()
    assert {item.key for item in store.list("")} == set(data)
    assert broken and link.connections == 3


def test_a_server_that_says_nothing_is_given_up(link: servers.Link, connect: Connect) -> None:
    link.freeze()
    with pytest.raises(ConnectionLost, match="says nothing"):
        connect(port=link.port).prepare()


def test_many_small_objects_share_their_round_trips(link: servers.Link, connect: Connect) -> None:
    """Fifty objects together take less than three alone, one after the other."""
    store = connect(port=link.port)
    few, many = some_objects(3, 100), some_objects(50, 200)
    store.prepare()
    link.delay = 0.02  # each way

    def took(*parts: dict[str, bytes]) -> float:
        began = time.monotonic()
        for data in parts:
            put(store, data)
            assert {key: b"".join(chunks) for key, chunks in store.read_many(data)} == data
        return time.monotonic() - began

    alone = took(*({key: content} for key, content in few.items()))
    assert took(many) < alone


def test_threads_end_with_the_store(connect: Connect) -> None:
    before = set(threading.enumerate())
    store = connect()
    for _ in range(3):
        put(store, some_objects(3))
        store.close()
    assert set(threading.enumerate()) <= before
