"""What a server does wrong at the end of an upload, and what uploads leave there: nothing is told as done, or as
damaged, that is not; and one large object as a stream."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

import servers
from contract.conftest import SHORT, Place, spec_of, trust
from contract.objects import Written, incoming, put, some_objects
from contract.test_ssh_link import in_two_seconds
from contract.test_ssh_parcel import folder, install, link, needs_accounts, stored, tools
from modelkeep.core.errors import ConnectionLost, StoreFailed
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores import sftp_list, ssh_stream, ssh_tar
from modelkeep.core.stores import ssh as ssh_store
from modelkeep.core.stores.base import Store
from modelkeep.core.stores.limits import DEFAULT
from modelkeep.core.stores.registry import open_store
from modelkeep.core.stores.sftp_wire import Reply

__all__ = ["folder", "link", "tools"]  # fixtures

Connect = Callable[..., Store]
KEY = "files/md5/aa/one"
DAY = 86400


# -- hashing and syncing on the server -----------------------------------------------------------------


@needs_accounts
def test_a_link_cut_while_the_server_hashes_is_no_damage(connect: Connect, folder: Path, tools: Path) -> None:
    cut = tools.parent / "cut"
    lines = f'[ -e {cut} ] || {{ touch {cut}; kill -9 $(ps -o ppid= -p $PPID) $PPID; }}; exec /usr/bin/md5sum "$@"'
    install(tools, "md5sum", lines)
    data = some_objects(3)
    written = put(connect(), data)
    assert cut.exists(), "the tool was not used: the test proves nothing"
    cut.unlink()
    assert written.failed == {} and set(written.done) == set(data)
    assert stored(folder) == data


@needs_accounts
@pytest.mark.parametrize("count", [3, 40])
def test_what_the_disk_did_not_take_gets_no_name(
    connect: Connect, folder: Path, tools: Path, count: int
) -> None:
    install(tools, "sync", 'case "$*" in "-f /dev/null"|"") exit 0;; esac; exit 1')  # as after an I/O error
    data = some_objects(count)
    written = Written()
    items = (incoming(key, content) for key, content in data.items())
    with pytest.raises(ConnectionLost):
        connect(wait=lambda _: None).write_many(
            items, Progress(), written.done.__setitem__, written.failed.__setitem__
        )
    assert written.done == {} and not set(stored(folder)) & set(data)


@needs_accounts
def test_another_disk_below_the_root_is_synced_too(
    ssh: servers.SshServer, connect: Connect, folder: Path, tools: Path
) -> None:
    log = tools.parent / "synced"
    install(tools, "sync", f'echo "$@" >>{log}; exec /bin/sync "$@"')
    other = Path("/dev/shm") / f"modelkeep-{os.getpid()}"
    if not other.parent.is_dir() or other.parent.stat().st_dev == tools.stat().st_dev:
        pytest.skip("there is no second file system")
    store = connect()
    store.prepare()
    try:
        other.mkdir()
        shutil.chown(other, ssh.shell.user)
        os.symlink(other, folder / "files")
        assert put(store, {KEY: b"1"}).failed == {}
        assert (other / "md5/aa/one").exists()
        for line in [one for one in log.read_text().splitlines() if "/dev/null" not in one]:
            assert {"-f", ".", "files/md5/aa"} <= set(line.split())
    finally:
        log.unlink(missing_ok=True)
        shutil.rmtree(other)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_server_that_does_not_say_the_size_gets_nothing(
    ssh: servers.SshServer, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    if ssh.sftp_only is None:
        pytest.skip(servers.NO_ROOT)
    trust(home, ssh)
    spec = spec_of(ssh, account=ssh.sftp_only, folder=f"store-{tmp_path.name}")
    attrs = Reply.attrs
    monkeypatch.setattr(Reply, "attrs", lambda self: attrs(self)._replace(size=None))
    written = Written()
    with open_store(spec, servers.Login(), limits=SHORT) as store:
        items = [incoming(KEY, b"1", at_once=at_once)]
        store.write_many(items, Progress(), written.done.__setitem__, written.failed.__setitem__)
    assert written.done == {} and "could not be checked" in str(written.failed[KEY])
    assert stored(ssh.sftp_only.folder / f"store-{tmp_path.name}") == {}


# -- cancelling and closing ----------------------------------------------------------------------------


@needs_accounts
def test_cancel_with_two_parcels_at_work(
    connect: Connect, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_store, "BATCH_FILES", 20)
    install(tools, "tar", "cat >/dev/null; sleep 30")
    store = connect(limits=DEFAULT)
    store.prepare()
    progress, written = Progress(), Written()
    items = [incoming(key, content) for key, content in some_objects(60).items()]
    cancelled: list[float] = []

    def last() -> bytes:
        cancelled.append(time.monotonic())
        progress.cancel()
        return b""

    items[30] = replace(items[30], whole=last)  # in the middle of the second
    with pytest.raises(Cancelled):
        store.write_many(items, progress, written.done.__setitem__, written.failed.__setitem__)
    assert time.monotonic() - cancelled[0] < 2


def test_what_is_closed_leaves_the_connection_patient(connect: Connect) -> None:
    store = connect()
    data = some_objects(20)
    put(store, data)
    assert len(dict(store.read_many(data))) == 20  # a command that is closed at its end
    wire = store.store._connection.wire  # type: ignore[attr-defined]
    assert not wire._hurried and not wire._closing


# -- listings without end ------------------------------------------------------------------------------


def test_a_listing_without_end_is_broken_off(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    if place.kind == "local":
        pytest.skip("this machine's own disk is believed")
    put(place.store, some_objects(30))
    assert len([*place.store.list("")]) == 30
    monkeypatch.setattr(sftp_list, "_MOST_NAMES", 25)
    with pytest.raises(StoreFailed, match="more than 25 files"):
        list(place.store.list(""))


# -- what killed uploads left --------------------------------------------------------------------------


def test_old_temporary_files_beside_objects_are_removed(place: Place) -> None:
    if place.kind == "local":
        pytest.skip("sweeps otherwise")
    put(place.store, {KEY: b"1"})
    beside = (place.folder / KEY).parent
    names = {
        "." + 22 * "a" + ".tmp": 3 * DAY,  # a leftover
        "." + 22 * "b" + ".tmp": DAY // 2,  # perhaps somebody at work
        "." + 21 * "c" + ".tmp": 3 * DAY,  # not ours
        "." + 22 * "d" + ".tmpx": 3 * DAY,
        22 * "e" + ".tmp": 3 * DAY,
    }
    for name, age in names.items():
        (beside / name).write_bytes(b"half")
        os.utime(beside / name, (time.time() - age,) * 2)
        shutil.chown(beside / name, beside.owner())
    put(place.store, {"files/md5/aa/two": b"2"})
    assert {one.name for one in beside.iterdir()} == {"one", "two", *list(names)[1:]}


# -- one large object ----------------------------------------------------------------------------------


@pytest.fixture
def small_streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if an object of two MiB was a large one."""
    monkeypatch.setattr(ssh_stream, "LARGE", 2 << 20)
    yield


LARGE = os.urandom(3 << 20)
pytestmark = pytest.mark.usefixtures("small_streams")


@pytest.mark.parametrize("wrong", [False, True])
def test_a_large_object_is_one_stream(
    ssh: servers.SshServer, connect: Connect, folder: Path, wrong: bool
) -> None:
    store, written, progress = connect(limits=DEFAULT), Written(), Progress()
    store.sizes(["a"])
    item = incoming(KEY, LARGE, at_once=False, wrong=wrong)
    before = ssh.log().count("Starting session: command")
    store.write_many([item], progress, written.done.__setitem__, written.failed.__setitem__)
    assert (
        ssh.log().count("Starting session: command") - before <= 3
    )  # finding out, the stream, the last sync
    assert progress.reading().done_bytes == len(LARGE)
    if wrong:
        assert type(written.failed[KEY]) is StoreFailed and stored(folder) == {}
    else:
        assert written.done == {KEY: len(LARGE)} and stored(folder) == {KEY: LARGE}


@needs_accounts
@pytest.mark.parametrize(
    "lines",
    [
        'head -c 1000000 >"$1"; cat >/dev/null; exit 1',  # no space left
        'head -c 1000000 | /usr/bin/tee "$1"; cat >/dev/null',  # and it is not even said
        "exit 1",
    ],
)
def test_a_stream_that_is_not_stored_whole_is_sent_otherwise(
    connect: Connect, folder: Path, tools: Path, lines: str
) -> None:
    install(tools, "tee", lines)
    assert put(connect(), {KEY: LARGE}).done == {KEY: len(LARGE)}
    assert stored(folder) == {KEY: LARGE}


@needs_accounts
def test_a_stream_that_arrives_damaged_is_discarded(connect: Connect, folder: Path, tools: Path) -> None:
    install(tools, "tee", 'tr "\\000" "\\001" | /usr/bin/tee "$1"')
    written = put(connect(), {KEY: LARGE})
    assert "arrived damaged" in str(written.failed[KEY]) and stored(folder) == {}


def test_a_stream_that_is_cut_or_cancelled_leaves_nothing(
    link: servers.Link, connect: Connect, folder: Path
) -> None:
    store = connect(port=link.port)
    store.prepare()
    link.cut_up = 1 << 20
    assert put(store, {KEY: LARGE}).done == {KEY: len(LARGE)}
    assert link.connections >= 2 and stored(folder) == {KEY: LARGE}
    progress = Progress()
    link.delay = 0.05
    in_two_seconds(progress, lambda: put(store, {"files/md5/bb/two": LARGE * 8}, progress))
    link.delay = 0
    deadline = time.monotonic() + 20
    while stored(folder).keys() != {KEY}:
        assert time.monotonic() < deadline, stored(folder).keys()
        time.sleep(0.05)


@needs_accounts
def test_large_objects_go_to_a_server_of_few_sessions(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_tar, "LARGEST", 1 << 20)
    with servers.ssh_server(tmp_path_factory.mktemp("few"), config="MaxSessions 3") as server:
        trust(home, server)
        with open_store(spec_of(server), servers.Login(), limits=SHORT) as store:
            large = {f"files/md5/aa/{n}": LARGE + bytes([n]) for n in range(4)}
            data = {**some_objects(20), **large, **{f"odd {n}": b"1" for n in range(3)}}
            assert put(store, data).failed == {}
            assert len(store.sizes(data)) == len(data)


@needs_accounts
def test_a_large_object_that_is_wrong_spoils_no_parcel(connect: Connect, folder: Path) -> None:
    data = some_objects(12, 1_200_000)
    bad = list(data)[5]
    written = Written()
    items = [incoming(key, content, at_once=False, wrong=key == bad) for key, content in data.items()]
    connect().write_many(items, Progress(), written.done.__setitem__, written.failed.__setitem__)
    assert list(written.failed) == [bad] and set(written.done) == set(data) - {bad}
    with suppress(KeyError):
        del data[bad]
    assert stored(folder) == data
