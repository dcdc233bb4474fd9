"""The demonstration fills every screen: tags (one in GTO form), branches, kinds, badges, and the real dvc agrees."""

from __future__ import annotations

from pathlib import Path

import pytest

import builders
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.errors import Refused
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Kind, State
from modelkeep.core.workflows import review
from modelkeep.core.workflows.demo import find_demo, make_demo


def test_the_demonstration_shows_every_screen(tmp_path: Path, dvc):
    root = make_demo(tmp_path / "demo")
    project = Project.open(root, vault=MemoryVault())
    listed = review.versions(project)
    assert {tag.name for tag in listed.tags} == {"v1.0", "v1.1", "classifier@v1.2.0", "v1.3-rc1"}
    assert any(tag.gto and tag.gto.artifact == "classifier" for tag in listed.tags)
    assert len(listed.branches) == 2
    assert len({version.when for version in listed.tags}) == 4
    found = review.version_presence(project, review.snapshots(project, listed.tags))
    words = {tag.name: found[tag.key].where.value for tag in listed.tags}
    assert words["v1.0"] == "here, on remote" and words["v1.3-rc1"] == "only here"
    kinds = {out.kind for out in project.workspace.outputs().outputs}
    assert {Kind.DATASET, Kind.MODEL} <= kinds
    states = {one.output.path: one.state for one in review.status(project).outputs}
    assert states["data/labels.csv"] is State.MODIFIED and states["data/images"] is State.CLEAN
    project.close()
    assert "data/labels.csv.dvc" in dvc("status", cwd=root).stdout
    builders.git(root, "fsck", "--strict")
    assert find_demo(tmp_path / "demo") == root


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(Refused):
        make_demo(tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"


def test_cancelled_it_leaves_nothing(tmp_path: Path):
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        make_demo(tmp_path / "demo", progress)
    assert not (tmp_path / "demo").exists()
