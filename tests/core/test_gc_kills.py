"""SIGKILL in the middle of a clean-up: nothing that is needed is lost, no list of files lacks one of its files,
and running it again completes. What the killed runs had put away comes back by one undo."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import builders
from cleaning import EVERY, NOW, here, key, make_shop
from team import modelkeep

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

SCOPE = ("gc", "-w", "--no-reflog", "--yes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project and its remote, whose objects are a day old."""
    make_shop(tmp_path)
    for path in (tmp_path / "remote").rglob("*"):
        os.utime(path, (time.time() - 86400,) * 2)
    return tmp_path


def killed(project: Path, words: tuple[str, ...], call: str, number: int) -> bool:
    """Run the command until it makes the call with this number; False if it ended before."""
    inject = ["-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}"]
    done = subprocess.run(
        ["strace", "-qq", *inject, sys.executable, "-m", "modelkeep", *words],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if "ptrace" in done.stderr:
        pytest.skip("strace is not allowed here")
    assert done.returncode in (0, -9, 137), done.stderr
    return done.returncode != 0


def assert_whole(root: Path, at: str) -> None:
    """Every object has the bytes of its name, and every list of files all of its files."""
    objects = root / "files/md5"
    for path in objects.glob("[0-9a-f][0-9a-f]/*"):
        if path.name.endswith(".tmp"):
            continue
        data = path.read_bytes()
        assert builders.md5(data) == f"{path.parent.name}{path.name}".removesuffix(".dir"), at
        if path.name.endswith(".dir"):
            for row in json.loads(data):
                assert (objects / row["md5"][:2] / row["md5"][2:]).exists(), f"{at}: {row['relpath']}"


def put_away(project: Path) -> set[str]:
    """Those of the known contents that are in quarantine."""
    piles = (project / ".dvc/tmp/modelkeep/quarantine").glob("gc-*")
    found = {
        path.relative_to(pile).as_posix() for pile in piles for path in pile.rglob("*") if path.is_file()
    }
    return {one for one in EVERY if key(one) in found}


def test_kills_of_a_clean_up_and_of_its_undo(folder: Path) -> None:
    """Of the calls that rename, the first two are of the locks and of the record; then the objects move."""
    project = folder / "project"
    for call, number in [("renameat", 3), ("renameat", 4), ("renameat", 4), ("renameat", 3), ("fsync", 4)]:
        at = f"killed at {call} {number}"
        assert killed(project, SCOPE, call, number), f"{at}: it ended before"
        assert here(project, *EVERY) >= NOW, at
        assert here(project, *EVERY) | put_away(project) == set(EVERY), at
        assert_whole(project / ".dvc/cache", at)
    assert put_away(project), "no kill came after the first object"
    modelkeep(*SCOPE, cwd=project)
    assert here(project, *EVERY) == NOW
    for number in (3, 4):
        assert killed(project, ("gc", "--undo"), "renameat", number)
        assert_whole(project / ".dvc/cache", f"undo killed at {number}")
    modelkeep("gc", "--undo", cwd=project)
    assert here(project, *EVERY) == set(EVERY)
    assert json.loads(modelkeep("status", "--json", cwd=project).out)["problems"] == []


def test_kills_while_a_remote_is_cleaned_up(folder: Path) -> None:
    """The calls that unlink: locks and what probes left, then the lists of files, then the files."""
    project, remote = folder / "project", folder / "remote"
    kills = 0
    for number in (1, 2, 3, 4):
        at = f"killed at unlinkat {number}"
        kills += killed(project, (*SCOPE, "-c"), "unlinkat", number)
        assert {one for one in EVERY if (remote / key(one)).exists()} >= NOW, at
        assert_whole(remote, at)
    assert kills >= 3
    modelkeep(*SCOPE, "-c", cwd=project)
    assert {one for one in EVERY if (remote / key(one)).exists()} == NOW
    assert len(list(remote.rglob("*.tmp"))) <= 1, "what tells the time there, of a killed run"
