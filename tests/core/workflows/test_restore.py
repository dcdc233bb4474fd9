"""Restoring: byte-exact in every way, never over unsaved work, and what was replaced comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

import builders
from modelkeep.core.errors import MissingObjects, UnsavedChanges, UsageError
from modelkeep.core.project import Project
from modelkeep.core.workflows import data, review
from modelkeep.core.workflows.publish import plan_publish, publish
from modelkeep.core.workflows.restore import How, bring_back, plan_restore, replaced, restore

V1 = {"a.txt": b"one\n", "b.txt": b"two\n"}
V2 = {"a.txt": b"one\n", "b.txt": b"two, changed\n", "c.txt": b"three\n"}


@pytest.fixture
def two(opened: Project) -> Project:
    """Two published versions; the workspace is at the second."""
    data.add(opened, ["data", "model.bin"])
    publish(opened, plan_publish(opened, "v1.0", "First"))
    builders.write_tree(
        opened.root, {"data/b.txt": V2["b.txt"], "data/c.txt": V2["c.txt"], "model.bin": b"\0model 2"}
    )
    publish(opened, plan_publish(opened, "v2.0", "Second"))
    return opened


def plan(project: Project, how: How, **more):
    return plan_restore(project, review.find_version(project, "v1.0"), how=how, **more)


def test_into_a_new_branch(two):
    done = restore(two, plan(two, How.BRANCH, branch="old"))
    assert builders.git(two.root, "branch", "--show-current") == "old"
    assert builders.read_tree(two.root / "data") == V1
    assert (two.root / "model.bin").read_bytes() == b"\0model 1"
    assert "old" in done.summary
    assert builders.git(two.root, "status", "--porcelain") == ""


def test_detached(two):
    restore(two, plan(two, How.DETACH))
    assert builders.git(two.root, "branch", "--show-current") == ""
    assert builders.read_tree(two.root / "data") == V1


def test_one_output_leaves_the_rest_alone(two):
    restore(two, plan(two, How.WORKSPACE, outputs=["data"]))
    assert builders.read_tree(two.root / "data") == V1
    assert (two.root / "model.bin").read_bytes() == b"\0model 2"
    assert builders.git(two.root, "status", "--porcelain").split() == ["M", "data.dvc"]


def test_one_file_of_a_folder(two):
    restore(two, plan(two, How.WORKSPACE, outputs=["data/b.txt"]))
    assert builders.read_tree(two.root / "data") == V2 | {"b.txt": V1["b.txt"]}


def test_into_a_folder(two, tmp_path):
    target = tmp_path / "export"
    restore(two, plan(two, How.FOLDER, folder=str(target)))
    assert builders.read_tree(target / "data") == V1
    assert (target / "model.bin").read_bytes() == b"\0model 1"
    assert builders.read_tree(two.root / "data") == V2


def test_the_plan_names_what_will_happen(two):
    found = plan(two, How.WORKSPACE, outputs=["data"])
    assert (found.create, found.replace, found.delete) == ((), ("data/b.txt",), ("data/c.txt",))
    assert found.unsaved == ()


def test_fetches_what_is_not_here(two, remote):
    for path in list((two.root / ".dvc/cache/files/md5").rglob("*")):
        if path.is_file():
            path.unlink()
    data.fetch(two)
    found = plan(two, How.BRANCH)
    assert found.fetch_files == 2 and found.fetch_bytes == len(V1["b.txt"]) + len(b"\0model 1")
    assert found.replace == ("data/b.txt", "model.bin")
    restore(two, found)
    assert builders.read_tree(two.root / "data") == V1


@pytest.mark.parametrize("how", [How.BRANCH, How.DETACH, How.WORKSPACE])
def test_unsaved_data_is_refused_and_named(two, how):
    (two.root / "data/b.txt").write_text("precious")
    (two.root / "data/new.txt").write_text("also precious")
    before = builders.read_tree(two.root)
    outputs = ["data"] if how is How.WORKSPACE else []
    found = plan(two, how, outputs=outputs)
    assert set(found.unsaved) == {"data/b.txt", "data/new.txt"}
    with pytest.raises(UnsavedChanges) as caught:
        restore(two, found)
    assert set(caught.value.paths) == {"data/b.txt", "data/new.txt"}
    assert builders.read_tree(two.root) == before
    assert builders.git(two.root, "branch", "--show-current") == "main"


def test_what_force_replaced_can_be_got_back(two):
    (two.root / "data/b.txt").write_text("precious")
    (two.root / "data/new.txt").write_text("also precious")
    restore(two, plan(two, How.WORKSPACE, outputs=["data"]), force=True)
    assert builders.read_tree(two.root / "data") == V1
    record = replaced(two)[0]
    assert set(record.paths) >= {"data/b.txt", "data/new.txt"}
    bring_back(two, record.id)
    assert (two.root / "data/b.txt").read_text() == "precious"
    assert (two.root / "data/new.txt").read_text() == "also precious"


def test_uncommitted_code_in_the_way_is_refused(two):
    (two.root / "model.bin.dvc").write_text((two.root / "model.bin.dvc").read_text() + "# note\n")
    with pytest.raises(UnsavedChanges) as caught:
        restore(two, plan(two, How.BRANCH))
    assert caught.value.paths == ("model.bin.dvc",)


def test_data_that_is_nowhere_is_said_before_anything_moves(two, remote):
    old = review.snapshot(two, review.find_version(two, "v1.0")).find("model.bin").oid
    two.cache.path(old).unlink()
    (remote / old.key).unlink()
    found = plan(two, How.BRANCH)
    assert found.missing == ("model.bin",) and found.is_blocked
    with pytest.raises(MissingObjects):
        restore(two, found)
    assert (two.root / "model.bin").read_bytes() == b"\0model 2"


def test_a_taken_branch_name_is_refused(two):
    with pytest.raises(UsageError, match="exists already"):
        plan(two, How.BRANCH, branch="main")


def test_outputs_cannot_be_a_branch(two):
    with pytest.raises(UsageError):
        plan(two, How.BRANCH, outputs=["data"])


def test_comparing_two_versions_names_every_file(two: Project, tmp_path: Path):
    found = review.compare(two, review.find_version(two, "v1.0"), review.find_version(two, "v2.0"))
    rows = {(row.status, row.path) for row in found.rows}
    assert rows == {("changed", "data/b.txt"), ("added", "data/c.txt"), ("changed", "model.bin")}


def test_comparing_with_the_workspace_sees_what_is_on_disk(two: Project):
    (two.root / "data/a.txt").unlink()
    found = review.compare(two, review.find_version(two, "v2.0"), review.find_version(two, "workspace"))
    assert [(row.status, row.path) for row in found.rows] == [("removed", "data/a.txt")]


def test_history_of_an_output_has_each_content_once(two: Project):
    found = review.output_history(two, "model.bin")
    assert [one.names[0] for one in found] and len(found) == 2
