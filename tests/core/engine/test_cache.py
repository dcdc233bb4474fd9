"""The cache: files in by one pass, out only verified, wrong objects in quarantine, kills without a trace."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import builders
from modelkeep.core.durable import Batch
from modelkeep.core.engine import cache as cache_module
from modelkeep.core.engine import cache_copy, cache_insert
from modelkeep.core.engine.cache import Cache, Source, open_cache
from modelkeep.core.engine.statmemory import StatMemory
from modelkeep.core.errors import CorruptObject, NotFound, Refused, StoreFailed
from modelkeep.core.paths import Tree
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores.base import Incoming
from modelkeep.core.values import ObjectId


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace folder."""
    return builders.write_tree(tmp_path / "work", {})


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache."""
    return open_cache(tmp_path / "cache", tmp_path / "quarantine")


def sources(work: Path, names: Iterable[str]) -> list[Source]:
    return [Source(name, (work / name).stat()) for name in names]


def temps(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*.tmp") if path.is_file()]


def objects(cache: Cache) -> set[str]:
    return {key.removeprefix("files/md5/").replace("/", "") for key in cache.listing()}


def test_files_come_in_under_their_names_and_read_only(cache: Cache, work: Path) -> None:
    files = {"a/1.txt": "one", "a/2.txt": "two", "b": "one", "empty": "", "데이터 #1": "two"}
    builders.write_tree(work, files)
    progress = Progress()
    done = cache.insert_files(Tree(work), sources(work, files), progress)
    assert {name: one.hash for name, one in done.items()} == {n: builders.md5(t) for n, t in files.items()}
    assert {name: one.size for name, one in done.items()} == {n: len(t) for n, t in files.items()}
    assert objects(cache) == {builders.md5(text) for text in files.values()}
    path = cache.path(ObjectId(builders.md5("one")))
    assert path.read_text() == "one" and path.stat().st_mode & 0o777 == 0o444
    assert not temps(cache.root) and (progress.done_files, progress.done_bytes) == (5, 12)
    assert builders.read_tree(work) == {name: text.encode() for name, text in files.items()}


def test_large_files_are_hashed_while_they_are_copied(
    cache: Cache, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_copy, "OVERLAP_FROM", 5 << 20)
    files = {f"big{n}": builders.some_bytes((4 << 20) + n * (1 << 20) + n, seed=n) for n in range(3)}
    builders.write_tree(work, files)
    done = cache.insert_files(Tree(work), sources(work, files))
    assert {n: one.hash for n, one in done.items()} == {n: builders.md5(d) for n, d in files.items()}
    assert not cache.verify(ObjectId(one.hash) for one in done.values())


def test_known_files_are_not_read_again(cache: Cache, work: Path, tmp_path: Path) -> None:
    builders.write_tree(work, {"a": "one"})
    facts = (work / "a").stat()
    memory = StatMemory(tmp_path / "stat.sqlite")
    memory.remember(facts, builders.md5("one"), read_at=facts.st_ctime_ns + 10**10)
    cache.insert_files(Tree(work), sources(work, ["a"]), memory=memory)
    before = cache.path(ObjectId(builders.md5("one"))).stat()
    again = cache.insert_files(Tree(work), sources(work, ["a"]), memory=memory)
    assert again["a"].hash == builders.md5("one")
    assert cache.path(ObjectId(builders.md5("one"))).stat() == before


@pytest.mark.parametrize("known", [True, False])
def test_a_truncated_object_is_replaced_and_kept_aside(
    cache: Cache, work: Path, tmp_path: Path, known: bool
) -> None:
    builders.write_tree(work, {"a": "content"})
    oid = ObjectId(builders.put_object(cache.root, b"content"))
    cache.path(oid).chmod(0o644)
    cache.path(oid).write_bytes(b"con")
    cache.path(oid).chmod(0o444)
    memory = StatMemory(tmp_path / "stat.sqlite")
    facts = (work / "a").stat()
    if known:
        memory.remember(facts, oid.hash, read_at=facts.st_ctime_ns + 10**10)
    cache.insert_files(Tree(work), sources(work, ["a"]), memory=memory)
    assert cache.read(oid) == b"content"
    assert [path.read_bytes() for path in (tmp_path / "quarantine").iterdir()] == [b"con"]


def test_reading_a_file_heals_a_damaged_object_of_the_same_size(cache: Cache, work: Path) -> None:
    builders.write_tree(work, {"a": "content"})
    oid = ObjectId(builders.put_object(cache.root, b"content"))
    cache.path(oid).chmod(0o644)
    cache.path(oid).write_bytes(b"cXntent")
    cache.path(oid).chmod(0o444)
    cache.insert_files(Tree(work), sources(work, ["a"]))
    assert cache.read(oid) == b"content"


def test_a_hard_link_to_its_own_object_stays_one_file(cache: Cache, work: Path) -> None:
    oid = ObjectId(builders.put_object(cache.root, b"linked"))
    os.link(cache.path(oid), work / "a")
    cache.insert_files(Tree(work), sources(work, ["a"]))
    assert os.path.samefile(cache.path(oid), work / "a") and not temps(cache.root)


def test_links_are_followed_only_where_allowed(cache: Cache, work: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    (work / "link").symlink_to(tmp_path / "outside")
    facts = (work / "link").stat()
    with pytest.raises(StoreFailed, match="link"):
        cache.insert_files(Tree(work), [Source("link", facts)])
    assert objects(cache) == set() and not temps(cache.root)
    assert cache.insert_files(Tree(work), [Source("link", facts, follow=True)])["link"].size == 6


def test_a_pipe_is_refused_without_waiting(cache: Cache, work: Path) -> None:
    os.mkfifo(work / "pipe")
    with pytest.raises(Refused, match="not a regular file"):
        cache.insert_files(Tree(work), sources(work, ["pipe"]))
    assert not temps(cache.root)


def test_a_file_that_vanished_is_named(cache: Cache, work: Path) -> None:
    builders.write_tree(work, {"a/1": "x"})
    scanned = sources(work, ["a/1"])
    (work / "a/1").unlink()
    with pytest.raises(NotFound, match="a/1"):
        cache.insert_files(Tree(work), scanned)
    (work / "a").rmdir()
    with pytest.raises(NotFound, match="a"):
        cache.insert_files(Tree(work), scanned)


@pytest.mark.parametrize("size", [6, cache_copy.SMALL + 1])
@pytest.mark.parametrize("grown", [0, 10])
def test_a_file_written_to_meanwhile_is_refused(
    cache: Cache, work: Path, monkeypatch: pytest.MonkeyPatch, size: int, grown: int
) -> None:
    builders.write_tree(work, {"log": "x" * size})
    os.utime(work / "log", (1e9, 1e9))  # a clock that ticks slowly must not hide the second write
    scanned = sources(work, ["log"])
    reads = "hash_bytes" if size <= cache_copy.SMALL else "copy_hashing"
    real = getattr(cache_insert, reads)

    def interfering(*args: Any) -> Any:
        result = real(*args)
        (work / "log").write_text("y" * (size + grown))
        return result

    monkeypatch.setattr(cache_insert, reads, interfering)
    with pytest.raises(Refused, match="log was written to"):
        cache.insert_files(Tree(work), scanned)
    assert objects(cache) == set() and not temps(cache.root)


def test_a_full_disk_is_noticed_before_anything_is_written(
    cache: Cache, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builders.write_tree(work, {"a": "x" * 1000})
    monkeypatch.setattr(cache.store, "free_space", lambda: 1040)
    with pytest.raises(StoreFailed, match="1,050 bytes are needed"):
        cache.insert_files(Tree(work), sources(work, ["a"]))
    assert objects(cache) == set()


def test_cancelling_ends_both_threads_and_leaves_nothing(cache: Cache, work: Path) -> None:
    names = [f"big{n}" for n in range(4)]
    for name in names:
        with open(work / name, "wb") as file:
            file.truncate(300 << 20)
    progress = Progress()
    timer = threading.Timer(0.1, progress.cancel)
    timer.start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        cache.insert_files(Tree(work), sources(work, names), progress)
    assert time.monotonic() - began < 2
    timer.join()
    assert objects(cache) == set() and not temps(cache.root)


def test_a_shared_cache_is_writable_for_the_group(tmp_path: Path, work: Path) -> None:
    shared = open_cache(tmp_path / "shared", tmp_path / "quarantine", shared=True)
    builders.write_tree(work, {"a": "one"})
    done = shared.insert_files(Tree(work), sources(work, ["a"]))
    path = shared.path(ObjectId(done["a"].hash))
    folders = [path.parent, *path.parent.parents][:4]
    assert [folder.stat().st_mode & 0o7777 for folder in folders] == [0o2775] * 4
    assert path.stat().st_mode & 0o777 == 0o444


def test_copying_out_verifies_and_quarantines(cache: Cache, tmp_path: Path) -> None:
    oid = ObjectId(builders.put_object(cache.root, b"precious"))
    target = Tree(builders.write_tree(tmp_path / "out", {}))
    with Batch(target, mode=0o644) as batch:
        assert batch.stage_by("x", lambda file: cache.copy_out(oid, file)) == 8
    assert (target.root / "x").read_bytes() == b"precious"
    cache.path(oid).chmod(0o644)
    cache.path(oid).write_bytes(b"preXious")
    cache.path(oid).chmod(0o444)
    with pytest.raises(CorruptObject), Batch(target, mode=0o644) as batch:
        batch.stage_by("y", lambda file: cache.copy_out(oid, file))
    assert not cache.present([oid]) and not (target.root / "y").exists() and not temps(target.root)
    assert [path.read_bytes() for path in (tmp_path / "quarantine").iterdir()] == [b"preXious"]
    with pytest.raises(NotFound), Batch(target) as batch:
        batch.stage_by("z", lambda file: cache.copy_out(oid, file))


def test_legacy_text_with_other_line_ends_comes_out_as_it_is(cache: Cache, tmp_path: Path) -> None:
    oid = ObjectId("dd8c6a395b5dd36c56d23275028f526c", legacy=True)
    builders.write_tree(cache.root, {oid.key: "a\r\nb\r\n"})
    with Batch(Tree(builders.write_tree(tmp_path / "out", {}))) as batch:
        batch.stage_by("x", lambda file: cache.copy_out(oid, file))
    assert (tmp_path / "out/x").read_bytes() == b"a\r\nb\r\n"


def test_only_stale_temporary_files_are_swept(cache: Cache) -> None:
    builders.put_object(cache.root, b"object")
    old, new = f".{'o' * 22}.tmp", f".{'n' * 22}.tmp"
    builders.write_tree(
        cache.root, {f"files/md5/{old}": "", f"files/md5/ab/{old}": "", f"files/md5/{new}": ""}
    )
    for path in temps(cache.root):
        if path.name == old:
            os.utime(path, (time.time() - 7200,) * 2)
    assert cache.sweep() == 2
    assert [path.name for path in temps(cache.root)] == [new] and len(objects(cache)) == 1


_CHILD = """
import sys
from pathlib import Path
from modelkeep.core.engine import cache
from modelkeep.core.paths import Tree
cache.BATCH_FILES = 40
work, root = Path(sys.argv[1]), Path(sys.argv[2])
names = sorted(p.name for p in work.iterdir())
print("go", flush=True)
cache.open_cache(root, root.parent / "quarantine").insert_files(
    Tree(work), [cache.Source(name, (work / name).stat()) for name in names]
)
"""


def test_leftovers_of_a_kill_are_swept_by_the_next_insertion_unless_one_is_at_work(
    cache: Cache, work: Path
) -> None:
    builders.write_tree(work, {"a": "a", "b": "b"})
    cache.insert_files(Tree(work), sources(work, "a"))
    left = cache.root / "files/md5" / f".{'x' * 22}.tmp"

    def insert_b_with_a_leftover() -> bool:
        left.write_bytes(b"half")
        os.utime(left, (time.time() - 600,) * 2)
        cache.insert_files(Tree(work), sources(work, "b"))
        return left.exists()

    with cache._at_work():
        assert insert_b_with_a_leftover()
    assert not insert_b_with_a_leftover()


def test_killed_at_any_moment_no_wrong_object_and_the_next_run_completes(tmp_path: Path, work: Path) -> None:
    files = {f"f{n:04}": builders.some_bytes(20_000, seed=n) for n in range(400)}
    builders.write_tree(work, files)
    cache = open_cache(tmp_path / "cache", tmp_path / "quarantine")
    environment = {**os.environ, "PYTHONPATH": str(Path(cache_module.__file__).parents[3])}
    chance = random.Random(7)
    for _ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(work), str(cache.root)],
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert child.stdout is not None and child.stdout.readline() == b"go\n"
        time.sleep(chance.uniform(0, 0.12))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        found = [ObjectId(name) for name in objects(cache)]
        assert not cache.verify(found)
    cache.insert_files(Tree(work), sources(work, sorted(files)))
    assert objects(cache) == {builders.md5(data) for data in files.values()}
    cache.sweep(older=0)
    assert not temps(cache.root)


def test_what_a_fetch_has_staged_is_nobodys_leftover(cache: Cache) -> None:
    """Somebody else's `add` in the meantime sweeps the folder that both stage their files in."""
    first = b"came an hour ago over a slow line"
    names = [hashlib.md5(data).hexdigest() for data in (first, b"second")]

    def items() -> Iterator[Incoming]:
        yield Incoming(f"files/md5/{names[0][:2]}/{names[0][2:]}", iter([first]), len(first))
        for temp in (cache.root / "files/md5").glob(".*.tmp"):
            os.utime(temp, (time.time() - 7200,) * 2)
        cache.sweep()
        yield Incoming(f"files/md5/{names[1][:2]}/{names[1][2:]}", iter([b"second"]), 6)

    done: dict[str, int] = {}
    cache.store.write_many(items(), Progress(), done.__setitem__, lambda key, error: pytest.fail(str(error)))
    assert len(done) == 2 and cache.has(ObjectId(names[0]), len(first))
