"""One project, two programs at the same time: each waits for the other, whichever kind of lock the project uses."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import builders
from conftest import Dvc
from interop.judging import dvc_status
from interop.projects import opened
from modelkeep.core.engine.locks import project_lock
from modelkeep.core.errors import Busy
from modelkeep.core.workflows import data

_HOLD = """
import sys
from dvc.repo import Repo
from dvc.rwlock import rwlock
repo = Repo(sys.argv[1])
hardlink = repo.config["core"].get("hardlink_lock", False)
with repo.lock:
    with rwlock(repo.tmp_dir, repo.fs, "dvc repro", [], [sys.argv[2]] if sys.argv[2] else [], hardlink):
        if sys.argv[2]:
            repo.lock.unlock()  # as repro does while it runs a command
        print("held", flush=True)
        sys.stdin.readline()
        if sys.argv[2]:
            repo.lock.lock()
"""


@contextmanager
def dvc_holding(dvc_program: Path, project: Path, writes: Path | str = "") -> Iterator[None]:
    """While it lasts, the real dvc holds the project's lock, or only says that it writes to `writes`."""
    python = dvc_program.parent / "python"
    process = subprocess.Popen(
        [python, "-c", _HOLD, project, str(writes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield
    finally:
        process.communicate("\n", timeout=30)


@pytest.fixture(params=["flock", "hardlink"])
def locking(request: pytest.FixtureRequest, project: Path) -> Path:
    """A project that locks itself in either way, with something to add."""
    if request.param == "hardlink":
        (project / ".dvc/config").write_text("[core]\n    hardlink_lock = true\n")
    builders.write_tree(project, {"data/a": "a", "other": "b"})
    return project


def test_10_2_16_10_2_18_dvc_waits_for_us(locking: Path, dvc: Dvc) -> None:
    hardlink = (locking / ".dvc/config").read_text() != ""
    lock = locking / ".dvc/tmp/lock"
    with project_lock(locking, hardlink, command="modelkeep add", write=[locking / "data"]):
        assert hardlink or lock.read_text() == f" {os.getpid()}\n"
        refused = dvc("add", "data", cwd=locking, check=False)
    assert refused.returncode != 0 and "Unable to acquire lock" in refused.stderr
    assert not (locking / "data.dvc").exists()
    dvc("add", "data", cwd=locking)
    with opened(locking) as project:
        data.add(project, ["other"])
    assert dvc_status(dvc, locking) == {}


def test_10_2_16_10_2_18_we_wait_for_dvc(locking: Path, dvc_program: Path) -> None:
    with opened(locking) as project:
        with dvc_holding(dvc_program, locking), pytest.raises(Busy) as error:
            data.add(project, ["data"])
        assert ("lock" if project.config.flag("core", "hardlink_lock") else "python") in error.value.detail
        assert not (locking / "data.dvc").exists()
        with dvc_holding(dvc_program, locking, locking / "data"):
            with pytest.raises(Busy, match="data"):
                data.add(project, ["data"])
            assert data.add(project, ["other"]).paths
        assert data.add(project, ["data"]).paths
