"""Many small objects in one stream to a shell account: what the server's tools do wrong is found, and nothing
wrong ever has a final name."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import servers
from contract.conftest import SHORT, spec_of, trust
from contract.objects import Written, incoming, put, some_objects
from contract.test_ssh_link import in_two_seconds
from modelkeep.core.errors import ConnectionLost, NotFound, StoreFailed
from modelkeep.core.progress import Progress
from modelkeep.core.stores import ssh as ssh_store
from modelkeep.core.stores import ssh_stream, ssh_untar
from modelkeep.core.stores.base import Incoming, Store
from modelkeep.core.stores.limits import DEFAULT
from modelkeep.core.stores.registry import open_store
from modelkeep.core.stores.ssh_send import Sending
from modelkeep.core.stores.ssh_stream import Stream

Connect = Callable[..., Store]

needs_accounts = pytest.mark.skipif(not servers.IS_ROOT, reason="changes the settings of an account")


@pytest.fixture
def folder(ssh: servers.SshServer, tmp_path: Path) -> Path:
    """Where the objects of `connect` really lie."""
    return ssh.shell.folder / f"store-{tmp_path.name}"


@pytest.fixture
def tools(ssh: servers.SshServer) -> Iterator[Path]:
    """A folder whose programs the shell account finds before the real ones."""
    folder = ssh.shell.folder / "tools"
    folder.mkdir()
    settings = ssh.shell.folder / ".bashrc"  # Debian's bash reads it for every command that comes by SSH
    settings.write_text(f"PATH={folder}:$PATH\n")
    yield folder
    settings.unlink()
    shutil.rmtree(folder)


def install(tools: Path, name: str, lines: str) -> None:
    (tools / name).write_text(f"#!/bin/sh\n{lines}\n")
    (tools / name).chmod(0o755)


def stored(folder: Path) -> dict[str, bytes]:
    """Everything that lies there, by key, also while the server removes some of it."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            with suppress(FileNotFoundError):
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def nothing_wrong(folder: Path) -> None:
    for key, content in stored(folder).items():
        if "tmp" not in key:
            assert hashlib.md5(content).hexdigest() == "".join(key.split("/")[-2:]), key


def test_they_arrive_in_their_folders_and_what_was_there_is_replaced(connect: Connect, folder: Path) -> None:
    store, data = connect(), some_objects(300)
    first = next(iter(data))
    put(store, {first: b"other bytes"})
    progress = Progress()
    written = put(store, data, progress)
    assert written.failed == {} and written.done == dict.fromkeys(data, 300)
    assert stored(folder) == data
    assert progress.reading().done_bytes == 300 * 300


def test_they_take_one_command(ssh: servers.SshServer, connect: Connect) -> None:
    store = connect(limits=DEFAULT)  # a busy machine must not be taken for a silent one
    store.sizes(["a"])
    before = ssh.log().count("Starting session: command")
    put(store, some_objects(300))
    assert ssh.log().count("Starting session: command") - before <= 2  # one more finds out what there is


DAMAGE = {
    "truncated": 'f=$(find . -path "*modelkeep*" -type f -size +0 | sort | sed -n 5p); echo x >"$f"',
    "lost": 'rm "$(find . -path "*modelkeep*" -type f -size +0 | sort | sed -n 5p)"',
    "list cut": 'for s in .modelkeep*/sums; do head -n 3 "$s" >s && mv s "$s"; done',
    "list garbled": 'for s in .modelkeep*/sums; do sed "2s/^./x/" "$s" >s && mv s "$s"; done',
}


@needs_accounts
@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_on_the_way_to_the_disk_is_found(
    connect: Connect, folder: Path, tools: Path, kind: str
) -> None:
    install(tools, "tar", f'/bin/tar "$@"; {DAMAGE[kind]}; touch "{tools.parent}/damaged"; exit 0')
    install(tools, "mv", f'echo "$@" >>"{tools.parent}/moved"; /bin/mv "$@"')
    data = some_objects(40)
    written = put(connect(), data)
    assert (tools.parent / "damaged").exists(), "the tool was not used: the test proves nothing"
    (tools.parent / "damaged").unlink()
    moved = tools.parent / "moved"
    text = moved.read_text() if moved.exists() else ""
    moved.unlink(missing_ok=True)
    assert "0000/" not in text  # nothing of the parcel got a final name …
    assert written.failed == {} and stored(folder) == data  # … and everything was sent again, one by one


@needs_accounts
@pytest.mark.parametrize("tool", ["tar", "mv", "md5sum"])
def test_a_tool_that_fails_is_done_without(connect: Connect, folder: Path, tools: Path, tool: str) -> None:
    install(tools, tool, "exit 1")
    data = some_objects(40)
    written = put(connect(), data)
    if tool == "md5sum":  # then nothing can be proven, and it is said
        assert written.done == {} and {type(error) for error in written.failed.values()} == {StoreFailed}
        assert stored(folder) == {}
    else:
        assert written.failed == {} and stored(folder) == data


@needs_accounts
def test_a_find_that_does_not_print_is_asked_otherwise(connect: Connect, folder: Path, tools: Path) -> None:
    install(tools, "find", 'case "$*" in *-printf*) exit 1;; esac; exec /usr/bin/find "$@"')
    store, data = connect(), some_objects(100)
    put(store, data)
    (folder / "files/odd name\n5 x").touch()
    assert store.sizes([*data, "files/md5/00/none"]) == dict.fromkeys(data, 300)
    assert dict.fromkeys(data, 300).items() <= dict(store.list("")).items()


@needs_accounts
def test_a_find_that_fails_is_no_proof_of_absence(connect: Connect, tools: Path) -> None:
    store, data = connect(), some_objects(100)
    put(store, data)
    install(tools, "find", 'case "$*" in *-printf*) [ "$1" = /dev/null ] && exit 0;; esac; exit 1')
    assert store.sizes(data) == dict.fromkeys(data, 300)
    assert dict(store.list("")) == dict.fromkeys(data, 300)


def test_a_folder_that_is_a_link_is_written_one_by_one(connect: Connect, folder: Path) -> None:
    store, data = connect(), some_objects(60)
    prefix = next(iter(data)).rpartition("/")[0]
    put(store, {"files/md5/zz/x": b"1"})
    (folder / "elsewhere").mkdir()
    shutil.copystat(folder / "files", folder / "elsewhere")
    shutil.chown(folder / "elsewhere", (folder / "files").owner())
    os.symlink(folder / "elsewhere", folder / prefix)
    assert put(store, data).failed == {}
    assert store.sizes(data) == dict.fromkeys(data, 300)
    assert len(list((folder / "elsewhere").iterdir())) == sum(key.startswith(prefix) for key in data)


def test_wrong_content_among_them_stays_out(connect: Connect, folder: Path) -> None:
    data = some_objects(50)
    written = Written()
    bad = list(data)[7]
    items = [incoming(key, content, wrong=key == bad) for key, content in data.items()]
    connect().write_many(items, Progress(), written.done.__setitem__, written.failed.__setitem__)
    assert list(written.failed) == [bad] and set(written.done) == set(data) - {bad}
    assert set(stored(folder)) == set(data) - {bad}


SHELLS = {
    "prints without the end of a line": "printf 'title of the window'",
    "is no sh": "case $BASH_EXECUTION_STRING in 'exec sh -c '*) ;; *) echo 'Illegal variable name.'; exit 1;; esac",
}


@needs_accounts
@pytest.mark.parametrize("kind", SHELLS)
def test_a_strange_shell_is_not_taken_for_damage(
    ssh: servers.SshServer, connect: Connect, folder: Path, kind: str
) -> None:
    settings = ssh.shell.folder / ".bashrc"
    settings.write_text(SHELLS[kind] + "\n")
    try:
        store = connect()
        for count in (3, 40):  # one by one, and as a parcel
            assert put(store, some_objects(count, seed=count)).failed == {}
        assert "by MD5" in store.describe()
    finally:
        settings.unlink()


@needs_accounts
@pytest.mark.parametrize("refusals", [1, 2])
def test_a_shell_that_does_not_start_just_now_is_asked_again(
    ssh: servers.SshServer, connect: Connect, folder: Path, refusals: int
) -> None:
    settings, tickets = ssh.shell.folder / ".bashrc", ssh.shell.folder / "tickets"
    settings.write_text(f"for t in {tickets}/*; do [ -e $t ] && rm $t && exit 254; done\n")
    tickets.mkdir()
    shutil.chown(tickets, ssh.shell.user)
    for number in range(refusals):
        (tickets / str(number)).touch()
    try:
        store = connect()
        assert put(store, some_objects(3)).failed == {}
        assert ("by MD5" in store.describe()) == (
            refusals == 1
        )  # with two, the account looked like one without
        assert put(store, some_objects(40, seed=2)).failed == {}
        assert "by MD5" in store.describe()
        assert not list(tickets.iterdir())
    finally:
        settings.unlink()
        shutil.rmtree(tickets)


@needs_accounts
def test_other_bytes_on_the_disk_are_damage_and_no_answer_is_not(
    connect: Connect, folder: Path, tools: Path
) -> None:
    install(tools, "md5sum", '/usr/bin/md5sum "$@" | sed "1s/^......../00000000/;2d"')
    data = some_objects(3)
    written = put(connect(), data)
    said = sorted(error.title.partition(" ")[2] for error in written.failed.values())
    assert said == ["arrived damaged and was discarded.", "could not be checked and was discarded."]
    assert len(written.done) == 1 and len(stored(folder)) == 1


# -- downloads -----------------------------------------------------------------------------------------


def test_a_stream_of_files_links_and_missing_ones(connect: Connect, folder: Path) -> None:
    store, data = connect(), {**some_objects(60), "files/md5/zz/big": bytes(range(256)) * 20_000}
    put(store, data)
    keys = list(data)
    os.link(folder / keys[0], folder / "twin")  # tar sends no second copy of these
    os.symlink(folder / keys[1], folder / "link")
    wanted = {**data, "twin": data[keys[0]], "link": data[keys[1]]}
    order = [*keys[:5], "gone/1", "twin", *keys[5:], "gone/2", "link"]
    found: dict[str, bytes | str] = {}
    for key, chunks in store.read_many(order):
        try:
            found[key] = b"".join(chunks)
        except NotFound as error:
            found[key] = error.paths[0]
    assert found == {**wanted, "gone/1": "gone/1", "gone/2": "gone/2"}
    assert list(found) == order


@needs_accounts
@pytest.mark.parametrize(
    "lines", ["exit 1", "echo this is no archive", '/bin/tar "$@" | head -c 30000', "head -c 2000 /dev/zero"]
)
def test_a_tar_that_breaks_off_is_done_without(connect: Connect, tools: Path, lines: str) -> None:
    store, data = connect(), some_objects(20, 5000)
    put(store, data)
    install(tools, "tar", lines)
    assert {key: b"".join(chunks) for key, chunks in store.read_many(data)} == data


def soon_cleared(folder: Path) -> None:
    """The server itself notices that nobody is there any more, and removes what was unfinished."""
    deadline = time.monotonic() + 20
    while any(name.endswith(".tmp") for place in os.walk(folder) for name in (*place[1], *place[2])):
        assert time.monotonic() < deadline
        time.sleep(0.05)


# -- a link that breaks --------------------------------------------------------------------------------


@pytest.fixture
def link(ssh: servers.SshServer) -> Iterator[servers.Link]:
    with servers.link_to(ssh) as link:
        yield link


def test_a_cut_in_the_middle_is_resumed(
    link: servers.Link, connect: Connect, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_store, "BATCH_FILES", 40)
    store, data = connect(port=link.port), some_objects(160, 20_000)
    store.prepare()
    link.cut_up = 2 << 20
    written = put(store, data)
    assert written.failed == {} and set(written.done) == set(data)
    assert link.connections == 2
    assert stored(folder) == data  # and nothing temporary


def test_a_cut_for_good_leaves_nothing_wrong_under_a_final_name(
    link: servers.Link, connect: Connect, folder: Path
) -> None:
    store = connect(port=link.port).store  # type: ignore[attr-defined]  # without another attempt
    data = some_objects(100, 20_000)
    store.prepare()
    link.cut_up = 1 << 20
    with pytest.raises(ConnectionLost):
        put(store, data)
    nothing_wrong(folder)
    soon_cleared(folder)


def test_cancel_in_the_middle(link: servers.Link, connect: Connect, folder: Path) -> None:
    store, data = connect(port=link.port), some_objects(400, 100_000)
    store.prepare()
    link.delay = 0.004
    progress = Progress()
    in_two_seconds(progress, lambda: put(store, data, progress))
    nothing_wrong(folder)
    link.delay = 0
    soon_cleared(folder)
    assert put(store, some_objects(20)).failed == {}


@needs_accounts
def test_a_large_one_whose_end_nobody_heard_leaves_nothing(
    link: servers.Link, connect: Connect, folder: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_stream, "LARGE", 1 << 20)
    install(tools, "md5sum", '/usr/bin/md5sum "$@"; sleep 0.7')  # time to cut the link
    finish, cuts = Sending._finish_stream, []

    def late(self: Sending, stream: Stream, *rest: Any, **more: Any) -> None:
        if not cuts:
            cuts.append(stream.temp)
            while len(stored(folder).get(stream.temp, b"")) < 2 << 20:
                time.sleep(0.01)
            link.cut()
        finish(self, stream, *rest, **more)

    monkeypatch.setattr(Sending, "_finish_stream", late)
    store, data = connect(port=link.port, wait=lambda _: None), {"files/md5/aa/large": bytes(2 << 20)}
    store.prepare()
    assert put(store, data).failed == {}
    assert cuts, "the link was not cut: the test proves nothing"
    soon_cleared(folder)
    assert stored(folder) == data  # and nothing under a temporary name


def test_an_item_of_a_wrong_size_is_told(connect: Connect, folder: Path) -> None:
    written = Written()
    items = [incoming(key, content) for key, content in some_objects(20).items()]
    odd = Incoming("files/md5/00/short", iter([b"12"]), 3, lambda: "", None, whole=lambda: b"12")
    connect().write_many([*items, odd], Progress(), written.done.__setitem__, written.failed.__setitem__)
    assert "2 bytes where 3 were expected" in str(written.failed[odd.key]) and len(written.done) == 20
    assert odd.key not in stored(folder)


@pytest.mark.parametrize("field", [b"-0000001024\x00", b"0x000000010\x00", b"\x00" * 12])
def test_a_size_that_no_tar_writes_ends_the_stream(field: bytes) -> None:
    with pytest.raises(ssh_untar._Ended):
        ssh_untar._size(field)
    assert ssh_untar._size(b"00000001750\x00") == 1000


@needs_accounts
def test_a_server_of_few_sessions_takes_small_objects_too(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with servers.ssh_server(tmp_path_factory.mktemp("few"), config="MaxSessions 3") as server:
        trust(home, server)
        for account in (server.shell, server.sftp_only):
            store = open_store(spec_of(server, account=account), servers.Login(), limits=SHORT)
            try:
                assert put(store, some_objects(100)).failed == {}
                assert len(store.sizes(some_objects(100))) == 100
            finally:
                store.close()
