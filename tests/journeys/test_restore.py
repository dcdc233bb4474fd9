"""Bringing an old version back: into a branch, one dataset alone, into a folder, and never over unsaved work."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import builders
from team import World, change_data, data_of, make_world, modelkeep, replace_file

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def _published(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Files, Files]:
    world = make_world(tmp_path_factory.mktemp("published"))
    first = data_of(world.project)
    second = change_data(world.project)
    world.run("publish", "v1.1", "-m", "More data")
    return world, first, second


@pytest.fixture
def two_versions(_published: tuple[World, Files, Files], tmp_path: Path) -> tuple[World, Files, Files]:
    """A project with v1.0 and v1.1 published, and what the data was at each."""
    made, first, second = _published
    shutil.copytree(made.folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    return World(tmp_path), first, second


def test_a_tag_into_a_new_branch(two_versions):
    world, first, _ = two_versions
    project = world.project
    world.run("restore", "v1.0", "-b", "look-back")
    assert data_of(project) == first
    assert builders.git(project, "branch", "--show-current") == "look-back"
    assert builders.git(project, "rev-parse", "HEAD") == builders.git(project, "rev-parse", "v1.0^{}")
    assert builders.git(project, "status", "--porcelain", "--", "data.dvc", "model.bin.dvc") == ""


def test_one_dataset_alone_leaves_code_and_the_rest(two_versions):
    world, first, second = two_versions
    project = world.project
    (project / "train.py").write_text("print('half done')\n")
    head = builders.git(project, "rev-parse", "HEAD")
    world.run("restore", "v1.0", "data")
    assert data_of(project) == {
        **{p: b for p, b in first.items() if p != "model.bin"},
        "model.bin": second["model.bin"],
    }
    assert (project / "train.py").read_text() == "print('half done')\n"
    assert builders.git(project, "rev-parse", "HEAD") == head


def test_into_another_folder(two_versions, tmp_path):
    world, first, second = two_versions
    project = world.project
    world.run("restore", "v1.0", "--folder", tmp_path / "old one")
    assert data_of(tmp_path / "old one") == first
    assert data_of(project) == second


def test_from_the_remote_when_nothing_is_here(two_versions, dvc, tmp_path):
    world, first, _ = two_versions
    clone = tmp_path / "clone"
    modelkeep("clone", str(world.origin), clone, cwd=tmp_path)
    modelkeep("restore", "v1.0", cwd=clone)
    assert data_of(clone) == first
    assert "up to date" in dvc("status", cwd=clone).stdout


@pytest.mark.parametrize(
    "how", [("-b", "again"), ("--detach",), ("data",)], ids=lambda how: how[0].strip("-")
)
def test_unsaved_changes_are_refused_and_named(two_versions, how):
    world, _, _ = two_versions
    project = world.project
    replace_file(project / "data/labels.csv", b"an hour of typing\n")
    before = builders.read_tree(project)
    refs = builders.git(project, "for-each-ref")
    words = ("restore", "v1.0", *how)
    said = world.run(*words, expect=3)
    assert "data/labels.csv" in said.out + said.err
    assert builders.read_tree(project) == before
    assert builders.git(project, "for-each-ref") == refs


def test_forced_over_unsaved_changes_can_be_brought_back(two_versions):
    world, first, _ = two_versions
    project = world.project
    replace_file(project / "data/labels.csv", b"an hour of typing\n")
    world.run("restore", "v1.0", "data", "--force", "--yes")
    assert data_of(project)["data/labels.csv"] == first["data/labels.csv"]
    listed = world.run("restore", "--replaced").out
    assert listed.strip()
