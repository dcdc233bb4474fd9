"""SIGKILL from outside at the calls that change the disk: nothing is lost, and running again completes by itself.

strace ends the real program at a chosen rename, removal or sync. After each kill every byte of the user is still
there, no object bears a wrong name, and the same command (or the one its status names) finishes the work.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import builders
from team import World, change_data, data_of, make_world, replace_file

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

RENAME, UNLINK, SYNC = "rename,renameat,renameat2", "unlink,unlinkat,rmdir", "fsync,fdatasync,syncfs"


@dataclass(frozen=True)
class Work:
    """A command, and the commands that may finish it after a kill."""

    words: tuple[str, ...]
    again: tuple[str, ...]
    changed: bool = False
    lost: tuple[str, ...] = field(default=())


WORK = {
    "add": Work(("add", "data", "model.bin"), ("add", "data", "model.bin"), changed=True),
    "push": Work(("push",), ("push",), lost=("remote/files",)),
    "pull": Work(("pull",), ("pull",), lost=("project/.dvc/cache", "project/data")),
    "checkout": Work(("checkout",), ("checkout",), lost=("project/data",)),
    "publish": Work(("publish", "v1.2", "-m", "Next"), ("publish", "--resume"), changed=True),
    "restore": Work(("restore", "v1.0", "--branch", "old"), ("checkout",)),
    "force": Work(("restore", "v1.0", "data", "-f"), ("restore", "v1.0", "data", "-f"), changed=True),
}
#: Spread over each command's calls; which call a number is may move, the promises hold at every one.
POINTS = [
    ("add", RENAME, 5),
    ("push", RENAME, 2),
    ("pull", RENAME, 4),
    ("checkout", RENAME, 5),
    ("publish", SYNC, 40),
    ("restore", RENAME, 3),
    ("restore", UNLINK, 2),
    ("force", RENAME, 6),
]


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with v1.0 and v1.1 published."""
    world = make_world(tmp_path_factory.mktemp("kills") / "world")
    change_data(world.project)
    world.run("publish", "v1.1", "-m", "More data")
    yield world.folder


@pytest.fixture
def world(_made: Path, tmp_path: Path) -> World:
    shutil.copytree(_made, tmp_path / "world", symlinks=True)
    return World(tmp_path / "world")


def kill_at(world: World, words: tuple[str, ...], calls: str, number: int) -> bool:
    """Run the command until its process makes the call with this number; False if it ended before."""
    inject = ["-e", f"trace={calls}", "-e", f"inject={calls}:signal=SIGKILL:when={number}"]
    program = [sys.executable, "-m", "modelkeep", *words]
    done = subprocess.run(
        ["strace", "-qq", "-o", "/dev/null", *inject, *program],
        cwd=world.project,
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr:
        pytest.skip("strace is not allowed here")
    assert done.returncode in (0, -9, 137), done.stderr
    return done.returncode != 0


def contents(world: World) -> set[str]:
    """The hash of every file there is, tracked data and objects, under whatever name."""
    places = [world.project / "data", world.project / ".dvc", world.remote]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    files += [path for path in [world.project / "model.bin"] if path.is_file()]
    return {hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def assert_objects_are_right(world: World) -> None:
    for place in (world.project / ".dvc/cache/files/md5", world.remote / "files/md5"):
        for path in place.rglob("*"):
            if path.is_file() and not path.name.endswith(".tmp"):
                name = f"{path.parent.name}{path.name}".removesuffix(".dir")
                assert builders.md5(path.read_bytes()) == name, path


@pytest.mark.parametrize(("name", "calls", "number"), POINTS)
def test_a_kill_loses_nothing_and_is_made_good(world: World, name: str, calls: str, number: int) -> None:
    work, project = WORK[name], world.project
    if work.changed:
        builders.write_tree(project, {"data/third.txt": "third\n", "data/labels.csv": "changed\n"})
    if work.changed and name != "force":
        replace_file(project / "model.bin", builders.some_bytes(9000, seed=9))
    kept = {builders.md5(data) for data in data_of(project).values()}
    for path in work.lost:
        shutil.rmtree(project.parent / path)
    killed = kill_at(world, work.words, calls, number)
    assert killed, "the command makes fewer calls: choose a smaller number"
    assert kept <= contents(world)
    assert_objects_are_right(world)
    world.run(*work.again, expect=2 if not _is_needed(world, work) else 0)
    assert kept <= contents(world)
    assert_objects_are_right(world)
    status = json.loads(world.run("status", "--json").out)
    assert status["problems"] == []
    assert {one["state"] for one in status["outputs"]} == {"unchanged"}
    assert not list((project / "data").rglob("*.tmp"))


def _is_needed(world: World, work: Work) -> bool:
    """A publish that was killed before it put anything on record has nothing to resume."""
    return work.again[-1] != "--resume" or (world.project / ".dvc/tmp/modelkeep/publish.json").exists()
