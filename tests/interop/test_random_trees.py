"""Folders from seeded dice, recorded, sent and brought back by both programs: not one byte may differ.

A few in every run; MODELKEEP_TEST_TREES=300 tries as many. Starting dvc costs more than anything it does, so one
project holds a batch of them, each an output of its own.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import builders
from conftest import Dvc
from interop import trees
from interop.judging import assert_clean, dvc_status
from interop.projects import opened
from modelkeep.core.workflows import data

COUNT = int(os.environ.get("MODELKEEP_TEST_TREES", "12"))
BATCH = 24


@pytest.mark.parametrize("first", range(0, COUNT, BATCH))
def test_10_1_trees_from_dice(first: int, tmp_path: Path, dvc: Dvc) -> None:
    """Ours and theirs recorded alike; each then sends, and the other brings it back and finds nothing to do."""
    seeds = range(first, min(first + BATCH, COUNT))
    names = {}
    for who in ("ours", "theirs"):
        project = builders.make_project(tmp_path / who)
        builders.set_default_remote(project, str(tmp_path / f"{who}-remote"))
        names = {seed: trees.write_dice(project, seed) for seed in seeds}
    targets = list(names.values())
    ours_, theirs = tmp_path / "ours", tmp_path / "theirs"
    content = trees.data(ours_, targets)
    assert content == trees.data(theirs, targets)

    with opened(ours_) as ours:
        data.add(ours, targets)
        data.push(ours)
    dvc("add", "--", *targets, cwd=theirs)
    dvc("push", cwd=theirs)
    assert trees.texts(ours_) == trees.texts(theirs)
    assert trees.objects(ours_) == trees.objects(theirs)
    assert builders.read_tree(tmp_path / "ours-remote") == builders.read_tree(tmp_path / "theirs-remote")

    for project, other in ((ours_, "theirs"), (theirs, "ours")):
        shutil.rmtree(project / ".dvc/cache")
        trees.remove_data(project, targets)
        builders.set_default_remote(project, str(tmp_path / f"{other}-remote"))
    dvc("pull", cwd=ours_)
    with opened(theirs) as one:
        data.pull(one)
    for project in (ours_, theirs):
        assert trees.data(project, targets) == content
    assert_clean(ours_)
    assert dvc_status(dvc, theirs) == {}


@pytest.mark.parametrize("seed", range(max(1, COUNT // 24)))
def test_10_1_a_history_from_dice(seed: int, tmp_path: Path, dvc: Dvc) -> None:
    """Changes, growth and loss at random, recorded by the two in turn: each takes up where the other left off."""
    project = builders.make_project(tmp_path / "shared")
    builders.set_default_remote(project, str(tmp_path / "remote"))
    targets = [trees.write_dice(project, 1000 * (seed + 1) + number) for number in range(4)]
    saved = []
    for turn in range(4):
        for target in targets:
            trees.roll(project / target, 100 * seed + turn)
        if turn % 2:
            dvc("add", "--", *targets, cwd=project)
            dvc("push", cwd=project)
            assert_clean(project)
        else:
            with opened(project) as ours:
                data.add(ours, targets)
                data.push(ours)
            assert dvc_status(dvc, project) == {}
        builders.make_commit(project, {}, f"Turn {turn}")
        saved.append(trees.data(project, targets))

    shutil.rmtree(project / ".dvc/cache")
    for turn, content in enumerate(saved):
        builders.git(project, "checkout", "--quiet", f"main~{len(saved) - 1 - turn}")
        if turn % 2:
            with opened(project) as ours:
                data.pull(ours, force=True)
        else:
            dvc("pull", "--force", cwd=project)
        assert trees.data(project, targets) == content
