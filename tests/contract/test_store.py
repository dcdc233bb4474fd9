"""What every store promises, on a real folder, a real shell account and a real SFTP-only account."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.conftest import Place
from contract.objects import Written, incoming, put, some_objects
from modelkeep.core.errors import NotFound, StoreFailed, UnsafePath
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores.base import Incoming, Item
from modelkeep.core.stores.local import LocalStore


def temporary_files(place: Place) -> list[str]:
    return [str(one) for one in place.folder.rglob("*.tmp")]


def test_what_is_written_is_read_back(place: Place) -> None:
    data = {"files/md5/00/empty": b"", "files/md5/00/one": b"1", "top": b"x" * 100_000}
    written = put(place.store, data)
    assert written.done == {key: len(content) for key, content in data.items()}
    assert {key: b"".join(chunks) for key, chunks in place.store.read_many(data)} == data
    assert (place.folder / "files/md5/00/one").read_bytes() == b"1"
    assert temporary_files(place) == []


def test_names_with_spaces_quotes_and_other_scripts(place: Place) -> None:
    data = {"데이터/한 글.bin": b"1", 'it\'s "quoted"; $(id)/`x`': b"2", "-rf": b"3"}
    assert put(place.store, data).failed == {}
    assert place.store.sizes(data) == dict.fromkeys(data, 1)
    assert {item.key for item in place.store.list("")} == set(data)
    assert {key: b"".join(chunks) for key, chunks in place.store.read_many(data)} == data


def test_exists_and_sizes(place: Place) -> None:
    data = some_objects(20)
    put(place.store, data)
    missing = ["files/md5/00/00000", "nowhere/at/all", "files"]
    assert place.store.sizes([*data, *missing]) == dict.fromkeys(data, 300)
    assert place.store.exists(next(iter(data)))
    assert not place.store.exists("files/md5/00/00000")
    assert not place.store.exists(next(iter(data)) + "/below-a-file")


def test_list_gives_files_beneath_a_folder(place: Place) -> None:
    data = {"a/1": b"1", "a/b/2": b"22", "c/3": b"333"}
    put(place.store, data)
    (place.folder / "a" / ".AAAAAAAAAAAAAAAAAAAAAA.tmp").write_bytes(b"left behind")
    (place.folder / "a" / "link").symlink_to("/etc/passwd")
    (place.folder / "a" / os.fsdecode(b"not-utf8-\xff")).write_bytes(b"")
    assert sorted(place.store.list("a")) == [Item("a/1", 1), Item("a/b/2", 2)]
    assert {item.key for item in place.store.list("")} == set(data)
    assert list(place.store.list("nowhere")) == []


def test_ranges(place: Place) -> None:
    content = bytes(range(256)) * 1000
    put(place.store, {"k": content})
    assert place.store.read_range("k", 0, 10) == content[:10]
    assert place.store.read_range("k", 70_000, 100_000) == content[70_000:170_000]
    assert place.store.read_range("k", len(content) - 5, 100) == content[-5:]
    assert place.store.read_range("k", len(content) + 5, 100) == b""
    assert b"".join(place.store.read("k", offset=200_000)) == content[200_000:]


def test_missing_keys_are_named_and_the_others_still_come(place: Place) -> None:
    put(place.store, {"a": b"1", "c": b"3"})
    found = {}
    for key, chunks in place.store.read_many(["a", "b", "c"]):
        try:
            found[key] = b"".join(chunks)
        except NotFound as error:
            assert error.paths == ("b",)
    assert found == {"a": b"1", "c": b"3"}
    with pytest.raises(NotFound):
        list(place.store.read("b"))
    with pytest.raises(NotFound):
        place.store.move("b", "d")


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a//b", "", "a/../b", ".git/config", "x\0y"])
def test_odd_keys_are_refused_at_the_door(place: Place, key: str) -> None:
    for call in (
        lambda: place.store.sizes([key]),
        lambda: list(place.store.read(key)),
        lambda: [list(chunks) for _, chunks in place.store.read_many([key])],
        lambda: place.store.write(incoming(key, b"1")),
        lambda: place.store.delete(key),
        lambda: place.store.move("a", key),
    ):
        with pytest.raises(UnsafePath):
            call()


def test_wrong_content_is_discarded_and_the_rest_goes_on(place: Place) -> None:
    written = Written()
    items = [
        incoming("good", b"1" * 50),
        incoming("bad", b"2" * 100_000, wrong=True),
        Incoming("short", iter([b"12"]), size=3),
        incoming("last", b"3"),
    ]
    place.store.write_many(items, Progress(), written.done.__setitem__, written.failed.__setitem__)
    assert written.done == {"good": 50, "last": 1}
    assert set(written.failed) == {"bad", "short"}
    assert {item.key for item in place.store.list("")} == {"good", "last"}
    assert temporary_files(place) == []


def test_a_server_that_holds_other_bytes_is_noticed(place: Place) -> None:
    if place.kind != "shell":
        pytest.skip("only an account that runs commands can be asked for the hash")
    with pytest.raises(StoreFailed, match="damaged"):
        place.store.write(Incoming("k", iter([b"12"]), 2, lambda: hashlib.md5(b"21").hexdigest()))
    assert list(place.store.list("")) == []
    assert temporary_files(place) == []


def test_describe_says_how_uploads_are_checked(place: Place) -> None:
    put(place.store, {"k": b"1"})
    expected = {"local": str(place.folder), "shell": "MD5 on the server", "sftp_only": "checked by size"}
    assert expected[place.kind] in place.store.describe()
    assert place.store.traits.runs_commands == (place.kind == "shell")


def test_replace_delete_and_move(place: Place) -> None:
    put(place.store, {"a/x": b"old", "b": b"2"})
    put(place.store, {"a/x": b"newer"})
    assert b"".join(place.store.read("a/x")) == b"newer"
    place.store.move("a/x", "c/d/y")
    assert {item.key for item in place.store.list("")} == {"b", "c/d/y"}
    place.store.move("b", "c/d/y")
    assert b"".join(place.store.read("c/d/y")) == b"2"
    place.store.delete("c/d/y")
    place.store.delete("c/d/y")
    assert list(place.store.list("")) == []


def test_free_space_and_traits(place: Place) -> None:
    free = place.store.free_space()
    assert free is not None
    assert free > 1 << 20
    assert place.store.traits.is_local == (place.kind == "local")


def test_500_small_objects(place: Place) -> None:
    data = some_objects(500)
    assert set(put(place.store, data).done) == set(data)
    assert place.store.sizes(data) == dict.fromkeys(data, 300)
    assert {item.key: item.size for item in place.store.list("files/md5")} == dict.fromkeys(data, 300)
    assert {key: b"".join(chunks) for key, chunks in place.store.read_many(data)} == data


def test_400_objects_of_middling_size_and_a_large_one(place: Place) -> None:
    data = {**some_objects(400, 1000), **some_objects(5, 100_000, seed=2), **some_objects(1, 3 << 20, seed=3)}
    progress = Progress()
    assert put(place.store, data, progress).done == {key: len(content) for key, content in data.items()}
    assert progress.reading().done_bytes == sum(map(len, data.values()))
    assert {key: b"".join(chunks) for key, chunks in place.store.read_many(data)} == data
    assert temporary_files(place) == []


def test_sizes_of_many_links_and_missing_ones(place: Place) -> None:
    data = {f"a/{number:03}": b"x" * number for number in range(100)}
    put(place.store, data)
    (place.folder / "a/link").symlink_to(place.folder / "a/050")
    (place.folder / "a/broken").symlink_to(place.folder / "nowhere")
    (place.folder / "a/folder").mkdir()
    expected = {key: len(content) for key, content in data.items()}
    if place.kind != "sftp_only":  # which sees other paths than we do here
        expected["a/link"] = 50
    asked = [*data, "a/link", "a/broken", "a/folder", "a/gone", "b/gone", "a/050/below-a-file"]
    found = place.store.sizes(asked)
    found.pop("a/link", None) if place.kind == "sftp_only" else None
    assert found == expected


def test_links_among_many_folders(place: Place) -> None:
    data = {f"files/md5/{number:03}/x": b"x" * number for number in range(100)}
    put(place.store, data)
    if place.kind == "sftp_only":
        pytest.skip("sees other paths than we do here")
    top = place.folder / "files/md5"
    (top / "050/link").symlink_to(top / "007/x")
    (top / "050/broken").symlink_to(top / "nowhere")
    (top / "twin").symlink_to(top / "050")
    expected = {key: len(content) for key, content in data.items()}
    expected |= {"files/md5/050/link": 7, "files/md5/twin/x": 50, "files/md5/twin/link": 7}
    assert place.store.sizes([*expected, "files/md5/050/broken", "files/md5/gone/x"]) == expected


def test_20_megabytes(place: Place) -> None:
    content = os.urandom(20 << 20)
    progress = Progress()
    assert put(place.store, {"big": content}, progress).done == {"big": len(content)}
    assert progress.reading().done_bytes == len(content)
    assert hashlib.md5(b"".join(place.store.read("big"))).digest() == hashlib.md5(content).digest()


def test_contents_may_be_left_unread(place: Place) -> None:
    data = some_objects(5, 200_000)
    put(place.store, data)
    for count, (_, chunks) in enumerate(place.store.read_many(data)):
        if count % 2 == 0:
            next(chunks)
    for count, (_, chunks) in enumerate(place.store.read_many(data)):
        if count == 4:
            next(chunks)  # what nobody wants is being opened and measured meanwhile
    stream = place.store.read_many(data)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert place.store.sizes(data) == dict.fromkeys(data, 200_000)


def test_an_unwritable_folder_is_explained(place: Place) -> None:
    if place.kind == "local":
        pytest.skip("root may write everywhere")
    (place.folder / "sealed").mkdir()
    (place.folder / "sealed").chmod(0o755)  # made by root, so the account cannot write
    if (place.folder / "sealed").stat().st_uid == place.folder.stat().st_uid:
        pytest.skip("needs root")
    written = put(place.store, {"sealed/k": b"1", "open/k": b"1"})
    assert written.done == {"open/k": 1}
    assert "denies access" in str(written.failed["sealed/k"])


def test_cancel_in_the_middle_of_a_write_ends_soon_and_leaves_nothing(place: Place) -> None:
    progress = Progress()
    started = threading.Event()

    def endless() -> object:
        while True:
            started.set()
            yield b"x" * (1 << 20)

    timer = threading.Thread(target=lambda: (started.wait(), time.sleep(0.2), progress.cancel()))
    timer.start()
    with pytest.raises(Cancelled):
        place.store.write(Incoming("k", endless()), progress=progress)  # type: ignore[arg-type]
    timer.join()
    assert list(place.store.list("")) == []
    assert temporary_files(place) == []
    assert place.store.write(incoming("k", b"1")) == 1


def test_cancel_in_the_middle_of_a_read_ends_soon(place: Place) -> None:
    put(place.store, {"k": b"x" * (4 << 20)})
    progress = Progress()
    with pytest.raises(Cancelled):
        for _ in place.store.read("k", progress=progress):
            progress.cancel()
    assert place.store.exists("k")


def test_a_stream_of_another_store(place: Place, tmp_path: Path) -> None:
    source = LocalStore(tmp_path / "source")
    data = {**some_objects(30), "big": b"x" * 700_000, "last": b"1"}
    put(source, data)
    current: list[str] = []

    def contents() -> Iterator[Incoming]:
        for key in data:
            current[:] = [key]
            yield Incoming(key, one(key), len(data[key]), in_order=True)

    def one(key: str) -> Iterator[bytes]:
        for chunk in source.read(key):
            assert current == [key], "read after the next was taken"
            yield chunk
        if key == next(iter(data)):
            raise StoreFailed("the content is wrong")

    written = Written()
    place.store.write_many(contents(), Progress(), written.done.__setitem__, written.failed.__setitem__)
    assert list(written.failed) == [next(iter(data))]
    assert set(written.done) == set(data) - set(written.failed)


def test_two_threads_at_once(place: Place) -> None:
    halves = [some_objects(60, seed=1), some_objects(60, seed=2)]
    threads = [threading.Thread(target=put, args=(place.store, half)) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {item.key for item in place.store.list("")} == {*halves[0], *halves[1]}
