"""Objects in a store: presence, listings that pass strangers over, verified reading, manifests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import builders
from modelkeep.core.engine.objectstore import ObjectStore, object_of
from modelkeep.core.errors import CorruptObject, InvalidFile, NotFound
from modelkeep.core.stores.local import LocalStore
from modelkeep.core.values import ObjectId


@pytest.fixture
def store(remote: Path) -> ObjectStore:
    """An object store in the empty remote folder."""
    return ObjectStore(LocalStore(remote), "storage")


def put_manifest(root: Path, files: dict[str, str]) -> ObjectId:
    rows = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return ObjectId(builders.put_object(root, json.dumps(rows).encode(), suffix=".dir"), is_dir=True)


def damage(root: Path, oid: ObjectId, data: bytes) -> None:
    path = root / oid.key
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)


def test_present_asks_for_each_one(store: ObjectStore, remote: Path) -> None:
    here = ObjectId(builders.put_object(remote, b"12345"))
    gone = ObjectId(builders.md5("elsewhere"))
    assert store.present([here, gone]) == {here: 5}
    store.remove(here)
    assert store.present([here, gone]) == {}


def test_the_listing_has_both_layouts_and_nothing_else(store: ObjectStore, remote: Path) -> None:
    name = builders.put_object(remote, b"new")
    legacy = remote / "ab" / ("c" * 30)
    strangers = {
        "README": "x",
        "ab/cdef": "x",
        "runs/ab/x": "x",
        "files/md5/ab/.x.tmp": "x",
        "files/md5/zz/0": "x",
    }
    builders.write_tree(remote, {str(legacy.relative_to(remote)): "old", **strangers})
    assert store.listing() == {f"files/md5/{name[:2]}/{name[2:]}": 3, f"ab/{'c' * 30}": 3}


def test_keys_are_read_back_as_objects() -> None:
    for oid in (ObjectId("a" * 32), ObjectId("b" * 32, is_dir=True), ObjectId("c" * 32, legacy=True)):
        assert object_of(oid.key) == oid
    assert object_of("files/md5/ab/../../x") is None and object_of("files/md5/ab/cd") is None


def test_reading_verifies(store: ObjectStore, remote: Path) -> None:
    oid = ObjectId(builders.put_object(remote, b"good"))
    assert store.read(oid) == b"good"
    damage(remote, oid, b"bad!")
    with pytest.raises(CorruptObject):
        store.read(oid)
    with pytest.raises(NotFound):
        store.read(ObjectId("0" * 32))
    assert [error.name for error in store.verify([oid, ObjectId("0" * 32)])] == [oid.name]


def test_a_manifest_is_read_once_and_again_when_it_must_be_proven(store: ObjectStore, remote: Path) -> None:
    oid = put_manifest(remote, {"a": builders.md5("a"), "b/c": builders.md5("c")})
    assert [entry.path for entry in store.manifest(oid).entries] == ["a", "b/c"]
    damage(remote, oid, b"[]")
    assert len(store.manifest(oid).entries) == 2
    assert isinstance(store.manifests([oid], fresh=True)[oid], CorruptObject)
    absent = ObjectId("1" * 32, is_dir=True)
    assert isinstance(store.manifests([absent])[absent], NotFound)


def test_a_hostile_manifest_is_refused(store: ObjectStore, remote: Path) -> None:
    oid = put_manifest(remote, {"../../evil": builders.md5("x")})
    with pytest.raises(InvalidFile, match="evil"):
        store.manifest(oid)


def test_a_folder_of_a_stranger_does_not_hide_the_objects(remote: Path) -> None:
    class Partly(LocalStore):
        """A store on a disk with a lost+found that only its administrator may read."""

        def list(self, prefix, **options):  # type: ignore[no-untyped-def]
            from modelkeep.core.errors import StoreFailed

            if not prefix:
                raise StoreFailed("lost+found could not be read")
            return super().list(prefix, **options)

    name = builders.put_object(remote, b"new")
    builders.write_tree(remote, {f"ab/{'c' * 30}": "old"})
    assert len(ObjectStore(Partly(remote), "storage").listing()) == 2
    assert name
