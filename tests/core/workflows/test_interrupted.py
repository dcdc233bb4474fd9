"""A restore that was killed is told by status and finished by the next checkout or restore, wherever it stopped."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import builders
from conftest import Dvc
from modelkeep.core.errors import Refused
from modelkeep.core.project import Project
from modelkeep.core.values import State
from modelkeep.core.workflows import data, interrupted, publish, restore, review
from modelkeep.core.workflows.restore import How

STOPS = {
    "before Git": ("modelkeep.core.engine.history.History.branch_create", False),
    "with the branch made": ("modelkeep.core.engine.history.History.switch", False),
    "after Git's switch": ("modelkeep.core.engine.history.History.switch", True),
    "before the data": ("modelkeep.core.engine.workspace.Workspace.run_checkout", False),
    "after the data": ("modelkeep.core.engine.workspace.Workspace.run_checkout", True),
}


class Killed(BaseException):
    """Ends the work where a kill would: nothing catches it."""


@pytest.fixture
def two_versions(opened: Project) -> Project:
    """v1 has `data` and `model.bin`; v2, checked out, has other data, no model, and `extra`."""
    data.add(opened, ["data", "model.bin"])
    publish_version(opened, "v1")
    builders.write_tree(opened.root, {"data/a.txt": "other\n", "extra/x": "x"})
    data.add(opened, ["data", "extra"])
    for name in ("model.bin", "model.bin.dvc"):
        (opened.root / name).unlink()
    publish_version(opened, "v2")
    return opened


def publish_version(project: Project, name: str) -> None:
    builders.git(project.root, "add", "-A")
    publish.publish(project, publish.plan_publish(project, name))


def stop(patch: pytest.MonkeyPatch, stop: str) -> None:
    name, after = STOPS[stop]
    owner, _, method = name.rpartition(".")
    module, _, kind = owner.rpartition(".")
    cls = getattr(__import__(module, fromlist=[kind]), kind)
    real: Callable[..., object] = getattr(cls, method)

    def killed(*args: object, **options: object) -> None:
        if after:
            real(*args, **options)
        raise Killed

    patch.setattr(cls, method, killed)


def start_restore(project: Project, how: How = How.BRANCH) -> None:
    version = review.find_version(project, "v1")
    restore.restore(project, restore.plan_restore(project, version, how=how))


def assert_at_v1(project: Project) -> None:
    assert builders.git(project.root, "rev-parse", "HEAD") == builders.git(project.root, "rev-parse", "v1^{}")
    assert builders.read_tree(project.root / "data") == {"a.txt": b"one\n", "b.txt": b"two\n"}
    assert (project.root / "model.bin").read_bytes() == b"\0model 1"
    assert not (project.root / "extra").exists()
    assert builders.git(project.root, "status", "--porcelain") == ""
    assert interrupted.notices(project) == ()
    assert {one.state for one in review.status(project).outputs} == {State.CLEAN}


@pytest.mark.parametrize(
    ("where", "finish"),
    [
        ("before Git", data.checkout),
        ("with the branch made", start_restore),
        ("after Git's switch", data.checkout),
        ("before the data", start_restore),
        ("after the data", data.checkout),
    ],
)
def test_it_is_told_and_finished(
    two_versions: Project, monkeypatch: pytest.MonkeyPatch, where: str, finish: Callable[[Project], object]
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        stop(patch, where)
        start_restore(two_versions)
    assert "Restoring v1" in review.status(two_versions).problems[0].reason
    with pytest.raises(Refused, match="Restoring v1"):
        data.add(two_versions, ["data"])
    with pytest.raises(Refused, match="Restoring v1"):
        publish.publish(two_versions, publish.plan_publish(two_versions, "v3"))
    finish(two_versions)
    assert_at_v1(two_versions)
    assert builders.git(two_versions.root, "branch", "--show-current").strip() == "from-v1"


def test_one_without_a_branch_is_finished_too(two_versions: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        stop(patch, "after Git's switch")
        start_restore(two_versions, How.DETACH)
    data.checkout(two_versions)
    assert_at_v1(two_versions)


def test_files_that_a_killed_git_had_written_are_no_work_to_be_lost(
    two_versions: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        stop(patch, "with the branch made")
        start_restore(two_versions)
    for name in ("data.dvc", "model.bin.dvc"):
        text = builders.git(two_versions.root, "show", f"v1:{name}")
        (two_versions.root / name).write_text(text.rstrip("\n") + "\n")
    data.checkout(two_versions)
    assert_at_v1(two_versions)


def test_it_is_over_once_the_user_went_elsewhere(
    two_versions: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        stop(patch, "with the branch made")
        start_restore(two_versions)
    builders.make_commit(two_versions.root, {"code.py": "x"})
    assert review.status(two_versions).problems == ()
    data.checkout(two_versions)
    assert builders.git(two_versions.root, "branch", "--show-current").strip() == "main"


def test_data_recorded_but_not_committed_stays(two_versions: Project) -> None:
    builders.write_tree(two_versions.root, {"mine/x": "mine"})
    data.add(two_versions, ["mine"])
    ignored = two_versions.root / ".gitignore"
    builders.git(two_versions.root, "checkout", "--", ".gitignore")
    assert "mine" not in ignored.read_text()
    start_restore(two_versions)
    assert (two_versions.root / "mine/x").read_text() == "mine"
    assert (two_versions.root / "mine.dvc").exists()
    assert not (two_versions.root / "extra").exists()


def test_a_version_is_restored_without_what_was_imported_into_it(
    opened: Project, dvc: Dvc, tmp_path: Path
) -> None:
    source = builders.make_project(tmp_path / "source")
    builders.track_file(source, "lib.bin", b"lib")
    builders.make_commit(source, message="A library")
    dvc("import", "-q", source, "lib.bin", cwd=opened.root)
    data.add(opened, ["data"])
    publish_version(opened, "v1")
    builders.write_tree(opened.root, {"data/a.txt": "other\n"})
    data.add(opened, ["data"])
    publish_version(opened, "v2")
    digest = builders.md5(b"lib")
    os.unlink(opened.cache_folder / "files/md5" / digest[:2] / digest[2:])
    (opened.root / "lib.bin").unlink()
    plan = restore.plan_restore(opened, review.find_version(opened, "v1"), how=How.BRANCH)
    assert "lib.bin is left out" in plan.notes[0]
    assert restore.restore(opened, plan).notes == plan.notes
    assert (opened.root / "data/a.txt").read_text() == "one\n"
