"""A publish killed at any moment can be finished or taken back: SIGKILL around every write of its journal."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import builders
from team import World, change_data, data_of, modelkeep

Dvc = Callable[..., object]

#: Writes of the journal in a publish: one before each of six steps, one more when Git is being pushed.
WRITES = 7

_KILL = """
import os, signal, sys
from modelkeep.core.workflows.journal import Journal
when, number = sys.argv.pop(1), int(sys.argv.pop(1))
write, clear, seen = Journal.write, Journal.clear, [0]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def counted(self, record):
    seen[0] += 1
    if when == "before" and seen[0] == number: die()
    write(self, record)
    if when == "after" and seen[0] == number: die()

def over(self):
    die() if when == "before" else clear(self)

Journal.write, Journal.clear = counted, over
from modelkeep.__main__ import main
sys.exit(main())
"""

MOMENTS = [("after", number) for number in (1, 4, WRITES)]
MOMENTS += [("before", number) for number in range(2, WRITES + 2)]


@pytest.fixture
def at_work(world: World) -> World:
    """The team's project with unpublished work in it."""
    change_data(world.project)
    return world


def publish_and_die(world: World, when: str, number: int) -> None:
    start = ("-c", _KILL, when, str(number))
    world.run("publish", "v1.1", "-m", "More data", start=start, expect=-signal.SIGKILL)


@pytest.mark.parametrize(("when", "number"), MOMENTS)
def test_it_can_be_finished(at_work: World, tmp_path: Path, when: str, number: int) -> None:
    project, wanted = at_work.project, data_of(at_work.project)
    commits = int(at_work.git("rev-list", "--count", "HEAD"))
    publish_and_die(at_work, when, number)
    at_work.run("publish", "--resume")
    assert builders.git(at_work.origin, "tag").split() == ["v1.0", "v1.1"]
    assert builders.git(at_work.origin, "rev-parse", "main") == at_work.git("rev-parse", "v1.1^{}")
    assert int(at_work.git("rev-list", "--count", "v1.1")) == commits + 1
    assert at_work.git("status", "--porcelain") == ""
    assert data_of(project) == wanted
    assert "no interrupted publish" in at_work.run("publish", "--resume", expect=2).err
    builders.git(tmp_path, "clone", "--quiet", str(at_work.origin), "colleague")
    modelkeep("pull", cwd=tmp_path / "colleague")
    assert data_of(tmp_path / "colleague") == wanted


@pytest.mark.parametrize(("when", "number"), MOMENTS)
def test_it_can_be_taken_back_until_git_is_pushed(at_work: World, when: str, number: int) -> None:
    before = state_of(at_work)
    publish_and_die(at_work, when, number)
    if "v1.1" in builders.git(at_work.origin, "tag").split():
        at_work.run("publish", "--undo", expect=3)
        return
    at_work.run("publish", "--undo")
    assert state_of(at_work) == before


def state_of(world: World) -> tuple[object, ...]:
    """All that undoing must put back: refs on both sides, what Git sees, metafiles, data."""
    return (
        world.git("for-each-ref"),
        builders.git(world.origin, "for-each-ref"),
        world.git("status", "--porcelain"),
        {path.name: path.read_bytes() for path in world.project.glob("?*.dvc")},
        {path: builders.md5(data) for path, data in data_of(world.project).items()},
    )


def test_what_git_names_is_there_even_after_the_last_kill(at_work: World, dvc: Dvc, tmp_path: Path) -> None:
    wanted = data_of(at_work.project)
    publish_and_die(at_work, "before", WRITES + 1)
    builders.git(tmp_path, "clone", "--quiet", "--branch", "v1.1", str(at_work.origin), "colleague")
    dvc("pull", cwd=tmp_path / "colleague")
    assert data_of(tmp_path / "colleague") == wanted
