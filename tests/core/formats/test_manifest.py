"""Directory objects: exact bytes, and nothing hostile gets through."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelkeep.core.errors import CorruptObject, InvalidFile, ModelkeepError, UnsafePath
from modelkeep.core.formats.manifest import make_manifest, manifest_bytes, parse_manifest
from modelkeep.core.values import Entry, ObjectId

A = "0cc175b9c0f1b6a831c399e269772661"
EMPTY = "d751713988987e9331980363e24189ce"


def parse(data: bytes, **kwargs: bool):
    return parse_manifest(data, ObjectId(hashlib.md5(data).hexdigest(), is_dir=True, **kwargs), "cache")


def listing(*paths: object) -> bytes:
    return json.dumps([{"md5": A, "relpath": path} for path in paths]).encode()


def test_vectors_of_the_format() -> None:
    md5 = {name: hashlib.md5(f"{name}\n".encode()).hexdigest() for name in "abc"}
    assert make_manifest([])[0].oid.name == f"{EMPTY}.dir"
    assert make_manifest(list(md5.items())[:2])[0].oid.name == "562ee692a592790b08e880eff9046f72.dir"
    assert make_manifest(md5.items())[0].oid.name == "5dcd2a8134332c352214d374a4941c5f.dir"


def test_bytes_are_ascii_sorted_by_code_point_without_final_newline() -> None:
    order = ["a b", "a-d", "a.d/z", "a/z", "x_B", "x_a b", "x_~", "x_é", "é", "！", "𝒳"]
    data = manifest_bytes([(path, A) for path in reversed(order)])
    assert [item["relpath"] for item in json.loads(data)] == order
    assert data.startswith(b'[{"md5": "0cc175b9c0f1b6a831c399e269772661", "relpath": "a b"}, ')
    assert rb'"\ud835\udcb3"}]' in data


def test_hash_is_checked_before_anything_else() -> None:
    with pytest.raises(CorruptObject) as error:
        parse_manifest(b"not even json", ObjectId(EMPTY, is_dir=True), "storage")
    assert "storage" in str(error.value)


def test_legacy_manifests_stay_legacy() -> None:
    assert parse(listing("a"), legacy=True).objects() == [ObjectId(A, legacy=True)]


def test_foreign_order_is_sorted() -> None:
    assert [entry.path for entry in parse(listing("b", "a")).entries] == ["a", "b"]


@pytest.mark.parametrize(
    "paths",
    [
        ["../x"], ["a/../../x"], ["/etc/passwd"], [""], ["."], [".."], ["a//b"], ["a/"], ["./a"], ["a\0b"],
        [".git/config"], [".GIT/config"], ["a/.git/hooks/x"], [".g\u200cit/x"], [".git./x"], ["git~1/x"],
        [".git::$INDEX_ALLOCATION/x"], [".dvc/config"], [".hg/hgrc"], ["\uff0egit/x"], ["a", "a"], ["a", "a/b"],
        ["a/b/c", "a"], ["a/b", "a/b/c/d"], ["\ud800"], [1], [None], [["a"]], [{"a": 1}],
    ],
)  # fmt: skip
def test_hostile_paths_reject_the_whole_tree(paths: list[object]) -> None:
    with pytest.raises(InvalidFile):
        parse(listing("fine", *paths))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"null", b"1", b'"a"', b"[1]", b"[[]]", b"[null]", b'[{"md5": "x", "relpath": "a"}]',
        b'[{"relpath": "a"}]', b'[{"md5": "0cc175b9c0f1b6a831c399e269772661"}]', b"[" * 20000, b"\xff\xfe",
        b'[{"md5": "../../../../etc/passwd", "relpath": "a"}]', b'[{"md5": 5, "relpath": "a"}]', b'["ab"]',
        b'[{"md5": "0CC175B9C0F1B6A831C399E269772661", "relpath": "a"}]',
        b'[{"md5": "0cc175b9c0f1b6a831c399e269772661\\n", "relpath": "a"}]', b"9" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_list_of_files_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidFile):
        parse(data)


@pytest.mark.parametrize(
    "entries", [[("../x", A)], [("a", "x")], [("a", A), ("a", A)], [("a", A), ("a/b", A)]]
)
def test_nothing_hostile_is_made(entries: list[tuple[str, str]]) -> None:
    with pytest.raises(UnsafePath):
        make_manifest(entries)


NAMES = st.lists(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
    | st.sampled_from(["a", "..", ".git", "b.txt"]),
    min_size=1,
    max_size=3,
).map("/".join)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, st.just(A), max_size=5))
def test_made_is_read_back_or_refused(tree: dict[str, str]) -> None:
    try:
        manifest, data = make_manifest(tree.items())
    except UnsafePath:
        with pytest.raises(ModelkeepError):
            parse(manifest_bytes(tree.items()))
        return
    assert parse_manifest(data, manifest.oid, "cache") == manifest
    assert all(isinstance(entry, Entry) and ".." not in entry.path.split("/") for entry in manifest.entries)
    assert [e.path for e in manifest.entries] == sorted(tree)
