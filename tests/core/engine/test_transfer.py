"""Transfers between real stores: nothing wrong spreads, no manifest goes ahead of its files, runs resume."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import builders
from modelkeep.core import durable
from modelkeep.core.engine import transfer as transfer_module
from modelkeep.core.engine.cache import Cache, open_cache
from modelkeep.core.engine.objectstore import ObjectStore
from modelkeep.core.engine.transfer import (
    TransferPlan,
    TransferResult,
    Wanted,
    plan_transfer,
    prove,
    run_transfer,
)
from modelkeep.core.errors import ConnectionLost, CorruptObject, StoreFailed
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores.base import Traits
from modelkeep.core.stores.local import LocalStore
from modelkeep.core.values import ObjectId

FILES = {"a.txt": "alpha", "sub/b.bin": "beta!", "sub/c": "gamma"}


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache."""
    return open_cache(tmp_path / "cache", tmp_path / "quarantine")


@pytest.fixture
def storage(remote: Path) -> ObjectStore:
    """The empty remote."""
    return ObjectStore(LocalStore(remote), "storage")


def put_folder(root: Path, files: dict[str, str]) -> ObjectId:
    rows = [{"md5": builders.put_object(root, files[n].encode()), "relpath": n} for n in sorted(files)]
    return ObjectId(builders.put_object(root, json.dumps(rows).encode(), suffix=".dir"), is_dir=True)


def file(text: str) -> ObjectId:
    return ObjectId(builders.md5(text))


def overwrite(place: Cache | ObjectStore, oid: ObjectId, data: bytes) -> None:
    path = place.path(oid)
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)


def send(
    source: ObjectStore, target: ObjectStore, *wanted: Wanted, progress: Progress | None = None
) -> tuple[TransferPlan, TransferResult]:
    progress = progress or Progress()
    plan = plan_transfer(source, target, wanted, progress)
    return plan, run_transfer(plan, source, target, progress)


def keys(place: ObjectStore) -> set[str]:
    return set(place.listing())


def test_everything_arrives_files_first_and_a_second_run_has_nothing_to_do(
    cache: Cache, storage: ObjectStore
) -> None:
    folder, single = put_folder(cache.root, FILES), ObjectId(builders.put_object(cache.root, b"single"))
    progress = Progress()
    wanted = (Wanted(folder, "data"), Wanted(single, "model.bin"))
    plan, result = send(cache, storage, *wanted, progress=progress)
    assert plan.copy[-1] == folder and len(plan.copy) == 5 and plan.present == 0
    assert result.copied == 5 and result.bytes == plan.bytes == progress.done_bytes
    assert progress.done_files == 5 and not result.failed and not result.withheld
    assert keys(storage) == keys(cache)
    assert prove(storage, wanted, source=cache) == ()
    again, nothing = send(cache, storage, *wanted)
    assert again.copy == () and again.present == 5 and nothing.copied == 0


def test_fetching_is_the_same_with_places_swapped(cache: Cache, storage: ObjectStore, remote: Path) -> None:
    folder = put_folder(remote, FILES)
    _, result = send(storage, cache, Wanted(folder, "data"))
    assert result.copied == 4 and keys(cache) == keys(storage)
    assert not cache.verify([folder, *cache.manifest(folder).objects()])
    assert cache.path(file("alpha")).stat().st_mode & 0o777 == 0o444


def test_files_missing_under_a_manifest_are_healed(cache: Cache, storage: ObjectStore) -> None:
    folder = put_folder(cache.root, FILES)
    send(cache, storage, Wanted(folder, "data"))
    storage.remove(file("beta!"))
    assert [one.label for one in prove(storage, [Wanted(folder, "data")])] == ["data/sub/b.bin"]
    plan, result = send(cache, storage, Wanted(folder, "data"))
    assert plan.copy == (file("beta!"),) and result.copied == 1
    assert prove(storage, [Wanted(folder, "data")], source=cache) == ()


def test_a_truncated_object_on_the_target_is_sent_again(cache: Cache, storage: ObjectStore) -> None:
    folder = put_folder(cache.root, FILES)
    send(cache, storage, Wanted(folder, "data"))
    overwrite(storage, file("alpha"), b"")
    assert [one.label for one in prove(storage, [Wanted(folder, "data")], source=cache)] == ["data/a.txt"]
    send(cache, storage, Wanted(folder, "data"))
    assert storage.read(file("alpha")) == b"alpha"


def test_a_damaged_object_in_the_cache_is_not_sent_and_its_manifest_is_withheld(
    cache: Cache, storage: ObjectStore, tmp_path: Path
) -> None:
    folder, single = put_folder(cache.root, FILES), ObjectId(builders.put_object(cache.root, b"single"))
    overwrite(cache, file("beta!"), b"bXta!")
    _, result = send(cache, storage, Wanted(folder, "data"), Wanted(single, "model.bin"))
    [(failed, error)] = result.failed
    assert isinstance(error, CorruptObject) and failed.label == "data/sub/b.bin"
    assert "data/sub/b.bin" in error.detail and "quarantine" not in error.hint and "cache" in error.hint
    assert [one.label for one in result.withheld] == ["data"]
    assert storage.present([folder, file("beta!")]) == {}
    assert set(storage.present([file("alpha"), file("gamma"), single])) == {
        file("alpha"),
        file("gamma"),
        single,
    }
    assert not cache.present([file("beta!")])
    assert [path.read_bytes() for path in (tmp_path / "quarantine").iterdir()] == [b"bXta!"]


@pytest.mark.parametrize("damage", [b"", b"be", b"bXta!", b"beta!beta!"])
def test_a_damaged_object_on_the_remote_gets_no_name_here(
    cache: Cache, storage: ObjectStore, remote: Path, damage: bytes
) -> None:
    folder = put_folder(remote, FILES)
    overwrite(storage, file("beta!"), damage)
    _, result = send(storage, cache, Wanted(folder, "data"))
    [(failed, error)] = result.failed
    assert failed.label == "data/sub/b.bin" and isinstance(error, CorruptObject)
    assert set(cache.present([folder, file("beta!"), file("alpha")])) == {file("alpha")}
    assert storage.present([file("beta!")]), "nothing on a remote is deleted without being told"
    assert not list(cache.root.rglob(".*.tmp"))


def test_what_is_nowhere_is_missing_and_its_manifest_withheld(cache: Cache, storage: ObjectStore) -> None:
    folder = put_folder(cache.root, FILES)
    cache.remove(file("gamma"))
    gone = Wanted(file("never"), "lost.bin")
    plan, result = send(cache, storage, Wanted(folder, "data"), gone)
    assert {one.label for one in plan.missing} == {"data/sub/c", "lost.bin"}
    assert [one.label for one in result.withheld] == ["data"] and result.copied == 2
    assert not storage.present([folder])


def test_a_file_the_remote_has_already_need_not_be_here(
    cache: Cache, storage: ObjectStore, remote: Path
) -> None:
    folder = put_folder(cache.root, FILES)
    cache.remove(file("gamma"))
    builders.put_object(remote, b"gamma")
    plan, result = send(cache, storage, Wanted(folder, "data"))
    assert not plan.missing and result.copied == 3 and storage.present([folder])


def test_a_manifest_that_is_nowhere_or_damaged_stops_only_itself(
    cache: Cache, storage: ObjectStore, tmp_path: Path
) -> None:
    lost = ObjectId("1" * 32, is_dir=True)
    wrong = ObjectId("2" * 32, is_dir=True)
    builders.write_tree(cache.root, {wrong.key: "[]"})
    good = ObjectId(builders.put_object(cache.root, b"good"))
    plan, result = send(cache, storage, Wanted(lost, "lost"), Wanted(wrong, "wrong"), Wanted(good, "good"))
    assert [one.label for one in plan.missing] == ["lost"]
    [(failed, error)] = result.failed
    assert failed.label == "wrong" and isinstance(error, CorruptObject) and "wrong" in error.detail
    assert keys(storage) == {good.key} and len(list((tmp_path / "quarantine").iterdir())) == 1


def test_a_damaged_manifest_here_is_replaced_by_the_remotes(
    cache: Cache, storage: ObjectStore, remote: Path
) -> None:
    folder = put_folder(remote, {"unique-name": "only here 1"})
    builders.write_tree(cache.root, {folder.key: "stump"})
    _, result = send(storage, cache, Wanted(folder, "data"))
    assert result.copied == 2 and not result.failed and not cache.verify([folder])


def test_a_part_of_a_folder_is_fetched_with_its_manifest(
    cache: Cache, storage: ObjectStore, remote: Path
) -> None:
    folder = put_folder(remote, FILES)
    plan = plan_transfer(storage, cache, [Wanted(folder, "data")], only={"data": ("sub",)})
    run_transfer(plan, storage, cache)
    assert set(cache.present([folder, *(file(text) for text in FILES.values())])) == {
        folder,
        file("beta!"),
        file("gamma"),
    }


def test_a_part_of_a_folder_is_pushed_without_its_manifest(cache: Cache, storage: ObjectStore) -> None:
    folder = put_folder(cache.root, FILES)
    plan = plan_transfer(cache, storage, [Wanted(folder, "data")], only={"data": ("a.txt",)})
    result = run_transfer(plan, cache, storage)
    assert keys(storage) == {file("alpha").key} and not plan.missing and not result.failed
    plan = plan_transfer(cache, storage, [Wanted(folder, "data")], only={"data": ("sub",)})
    run_transfer(plan, cache, storage)
    again = plan_transfer(cache, storage, [Wanted(folder, "data")], only={"data": ("sub",)})
    run_transfer(again, cache, storage)
    assert storage.present([folder]), "once all files are there, the manifest may follow"


def test_legacy_objects_keep_their_place_and_their_bytes(
    cache: Cache, storage: ObjectStore, remote: Path
) -> None:
    twin = ObjectId("dd8c6a395b5dd36c56d23275028f526c", legacy=True)
    builders.write_tree(cache.root, {twin.key: "a\r\nb\r\n"})
    _, result = send(cache, storage, Wanted(twin, "crlf.txt"))
    assert result.copied == 1 and (remote / twin.key).read_bytes() == b"a\r\nb\r\n"
    overwrite(storage, twin, b"a\nb\n")  # the same name for a file with other line ends
    assert plan_transfer(cache, storage, [Wanted(twin, "crlf.txt")]).copy == ()
    assert prove(storage, [Wanted(twin, "crlf.txt")], source=cache) == ()


def test_a_new_object_is_not_found_in_the_legacy_place(
    cache: Cache, storage: ObjectStore, remote: Path
) -> None:
    oid = ObjectId(builders.put_object(cache.root, b"x"))
    builders.write_tree(remote, {ObjectId(oid.hash, legacy=True).key: "x"})
    assert plan_transfer(cache, storage, [Wanted(oid, "x")]).copy == (oid,)


class Interfering(LocalStore):
    """A real folder that does something just before it takes each object."""

    before: Callable[[str], None] = staticmethod(lambda key: None)

    def write_many(self, items, progress, done, failed):  # type: ignore[no-untyped-def]
        def watched() -> Iterator[object]:
            for item in items:
                self.before(item.key)
                yield item

        super().write_many(watched(), progress, done, failed)


def test_a_manifest_is_held_back_when_a_file_vanishes_meanwhile(cache: Cache, remote: Path) -> None:
    folder = put_folder(cache.root, FILES)
    builders.put_object(remote, b"alpha")
    store = Interfering(remote)
    storage = ObjectStore(store, "storage")
    store.before = lambda key: storage.remove(file("alpha"))
    _, result = send(cache, storage, Wanted(folder, "data"))
    assert [failed.label for failed, _ in result.failed] == ["data/a.txt"]
    assert not storage.present([folder]) and [one.label for one in result.withheld] == ["data"]


def test_a_lost_connection_ends_the_run_and_the_next_one_goes_on(cache: Cache, remote: Path) -> None:
    class Breaking(LocalStore):
        broken = False
        traits = Traits(connections=1)  # a folder on this machine has no connection to lose

        def read(self, key, **options):  # type: ignore[no-untyped-def]
            if self.broken:
                raise ConnectionLost("The server is gone.")
            yield from super().read(key, **options)

    folder = put_folder(remote, FILES)
    store = Breaking(remote)
    storage = ObjectStore(store, "storage")
    plan = plan_transfer(storage, cache, [Wanted(folder, "data")])
    store.broken = True
    with pytest.raises(ConnectionLost):
        run_transfer(plan, storage, cache)
    store.broken = False
    assert send(storage, cache, Wanted(folder, "data"))[1].copied == 4


def test_cancelling_keeps_what_was_finished(
    cache: Cache, storage: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelkeep.core.stores import local

    monkeypatch.setattr(local, "BATCH_FILES", 5)
    oids = [ObjectId(builders.put_object(cache.root, b"%d" % number)) for number in range(30)]
    wanted = [Wanted(oid, str(n)) for n, oid in enumerate(oids)]
    plan = plan_transfer(cache, storage, wanted)
    progress = Progress()
    advance = progress.advance

    def advancing(n: int = 0, *, files: int = 0) -> None:
        advance(n, files=files)
        if progress.done_files == 12:
            progress.cancel()

    monkeypatch.setattr(progress, "advance", advancing)
    with pytest.raises(Cancelled):
        run_transfer(plan, cache, storage, progress)
    assert 10 <= len(storage.present(oids)) <= 15
    assert send(cache, storage, *wanted)[0].present >= 10
    assert len(storage.present(oids)) == 30


def test_a_full_target_is_noticed_before_anything_is_sent(
    cache: Cache, storage: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    oid = ObjectId(builders.put_object(cache.root, b"x" * 1000))
    monkeypatch.setattr(storage.store, "free_space", lambda: 1000)
    with pytest.raises(StoreFailed, match="1,050 bytes are needed"):
        send(cache, storage, Wanted(oid, "big"))
    assert keys(storage) == set()


def test_proof_reads_the_manifest_again(cache: Cache, storage: ObjectStore) -> None:
    folder = put_folder(cache.root, FILES)
    wanted = Wanted(folder, "data")
    send(cache, storage, wanted)
    overwrite(storage, folder, storage.read(folder).replace(b"a.txt", b"b.txt"))
    assert prove(storage, [wanted], source=cache) == (wanted,)


_CHILD = """
import sys
from pathlib import Path
from modelkeep.core.engine.cache import open_cache
from modelkeep.core.engine.objectstore import ObjectStore
from modelkeep.core.engine.transfer import Wanted, plan_transfer, run_transfer
from modelkeep.core.stores import local
from modelkeep.core.values import ObjectId
local.BATCH_FILES = 25
root, remote, folder = Path(sys.argv[1]), Path(sys.argv[2]), ObjectId.parse(sys.argv[3])
cache, storage = open_cache(root, root.parent / "q"), ObjectStore(local.LocalStore(remote), "storage")
source, target = (storage, cache) if sys.argv[4] == "fetch" else (cache, storage)
print("go", flush=True)
run_transfer(plan_transfer(source, target, [Wanted(folder, "data")]), source, target)
"""


@pytest.mark.parametrize("direction", ["push", "fetch"])
def test_killed_at_any_moment_nothing_wrong_stays_and_the_next_run_completes(
    cache: Cache, storage: ObjectStore, remote: Path, direction: str
) -> None:
    files = {f"f{n}": f"{n}" * 5000 for n in range(200)}
    source, target = (storage, cache) if direction == "fetch" else (cache, storage)
    folder = put_folder(remote if direction == "fetch" else cache.root, files)
    children = [file(text) for text in files.values()]
    environment = {**os.environ, "PYTHONPATH": str(Path(transfer_module.__file__).parents[3])}
    chance = random.Random(11)
    for _ in range(4):
        command = [sys.executable, "-c", _CHILD, str(cache.root), str(remote), folder.name, direction]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        assert child.stdout is not None and child.stdout.readline() == b"go\n"
        time.sleep(chance.uniform(0, 0.1))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert not target.verify([folder, *children])
        assert not target.present([folder]) or len(target.present(children)) == len(children)
    send(source, target, Wanted(folder, "data"))
    assert len(target.present([folder, *children])) == 201 and prove(target, [Wanted(folder, "data")]) == ()


def test_a_disk_below_the_root_is_synced_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Path("/dev/shm") / f"modelkeep-sync-{os.getpid()}"
    if not other.parent.is_dir() or other.parent.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    synced: set[int] = set()
    sync = durable.sync_file_system
    monkeypatch.setattr(
        durable, "sync_file_system", lambda path: bool(synced.add(os.stat(path).st_dev)) or sync(path)
    )
    try:
        for folder in (other, tmp_path / "near"):
            builders.write_tree(folder, {f"{n}": "x" for n in range(9)})
        os.symlink(other, tmp_path / "far")
        durable.sync_files(str(tmp_path), [f"{folder}/{n}" for n in range(9) for folder in ("near", "far")])
        assert synced == {tmp_path.stat().st_dev, other.stat().st_dev}
    finally:
        shutil.rmtree(other)
