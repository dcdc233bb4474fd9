"""What the comparison of two trees says, and that it stays quick on large ones."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from modelkeep.core.diff.tree import Row, compare_trees

leaves = st.dictionaries(
    st.text("ab/", min_size=1, max_size=4),
    st.tuples(st.sampled_from(["h1", "h2", "h3"]), st.one_of(st.none(), st.integers(0, 9))),
    max_size=8,
)


def test_equal_trees_have_no_rows() -> None:
    tree = {"a": ("h1", 1), "b/c": ("h2", None)}
    diff = compare_trees(tree, dict(tree))
    assert diff.is_empty
    assert diff.unchanged == 2


def test_each_status_has_its_row_and_count() -> None:
    diff = compare_trees(
        {"keep": ("k", 1), "edit": ("e1", 10), "gone": ("g", 5), "d/old.txt": ("r", 7)},
        {"keep": ("k", 1), "edit": ("e2", 30), "fresh": ("f", 2), "d/new.txt": ("r", 7)},
    )
    assert diff.rows == (
        Row("renamed", "d/new.txt", "d/old.txt", 7, 7, "r", "r"),
        Row("changed", "edit", None, 10, 30, "e1", "e2"),
        Row("added", "fresh", None, None, 2, "", "f"),
        Row("removed", "gone", None, 5, None, "g", ""),
    )
    assert (diff.added, diff.changed, diff.removed, diff.renamed, diff.unchanged) == (1, 1, 1, 1, 1)
    assert diff.balance == (1 + 30 + 2 + 7) - (1 + 10 + 5 + 7)


def test_a_rename_prefers_the_same_base_name() -> None:
    diff = compare_trees(
        {"a/one": ("h", 1), "a/two": ("h", 1), "a/three": ("h", 1)},
        {"b/two": ("h", 1), "b/one": ("h", 1)},
    )
    assert {row.path: row.old_path for row in diff.rows if row.status == "renamed"} == {
        "b/one": "a/one",
        "b/two": "a/two",
    }
    assert [row.path for row in diff.rows if row.status == "removed"] == ["a/three"]


def test_a_copy_is_not_a_rename() -> None:
    diff = compare_trees({"a": ("h", 1)}, {"a": ("h", 1), "b": ("h", 1)})
    assert [(row.status, row.path) for row in diff.rows] == [("added", "b")]


def test_rows_name_the_output_they_belong_to() -> None:
    diff = compare_trees({}, {"data/x/1": ("h", 1), "m.bin": ("i", 1)}, outputs=["data", "m.bin"])
    assert [row.output for row in diff.rows] == ["data", "m.bin"]


@given(leaves, leaves)
def test_rows_account_for_every_file(before: dict, after: dict) -> None:
    diff = compare_trees(before, after)
    rebuilt = {path: leaf[0] for path, leaf in before.items()}
    for row in diff.rows:
        if row.status in ("removed", "renamed"):
            del rebuilt[row.old_path or row.path]
    for row in diff.rows:
        if row.status != "removed":
            rebuilt[row.path] = row.after_hash
    assert rebuilt == {path: leaf[0] for path, leaf in after.items()}
    assert len(diff.rows) == diff.added + diff.changed + diff.removed + diff.renamed
    assert [row.path for row in diff.rows] == sorted(row.path for row in diff.rows)


def test_two_hundred_thousand_files_are_quick() -> None:
    before = {f"d{i % 100}/{i}.bin": (f"{i:032x}", i) for i in range(200_000)}
    after = {
        f"d{i % 100}/{i + (i % 10 == 0) * 10**7}.bin": (f"{i + (i % 7 == 0):032x}", i) for i in range(200_000)
    }
    start = time.process_time()
    diff = compare_trees(before, after, outputs=["d1", "d2"])
    assert time.process_time() - start < 3  # half a second alone; room for a machine that others use too
    assert diff.renamed
