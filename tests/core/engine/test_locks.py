"""DVC's locks: real dvc and Modelkeep exclude each other, crashes leave nothing that has to be mended by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import builders
from modelkeep.core.engine.locks import project_lock
from modelkeep.core.errors import Busy

_HOLD = """
import fcntl, os, sys
file = open(sys.argv[1], "a+")
fcntl.flock(file.fileno(), fcntl.LOCK_EX)
file.seek(0); file.truncate(); file.write(" %d\\n" % os.getpid()); file.flush()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a project, as far as locks need one."""
    return builders.write_tree(tmp_path / "project", {".dvc/tmp/": ""})


def rwlock(root: Path) -> dict[str, object]:
    return json.loads((root / ".dvc/tmp/rwlock").read_text())  # type: ignore[no-any-return]


def a_dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_the_lock_file_says_who_holds_it(root: Path) -> None:
    (root / ".dvc/tmp/lock").write_text(" 1234567890\n")
    with project_lock(root, False, command="modelkeep add"):
        assert (root / ".dvc/tmp/lock").read_text() == f" {os.getpid()}\n"
    assert (root / ".dvc/tmp/lock").exists()


def test_a_project_without_tmp_can_be_locked(tmp_path: Path) -> None:
    root = builders.write_tree(tmp_path / "fresh", {".dvc/config": ""})
    with project_lock(root, False, command="x", write=[root / "data"]):
        assert rwlock(root)["write"]


def test_a_process_that_holds_the_lock_is_named(root: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(root / ".dvc/tmp/lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin is not None and holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy) as caught, project_lock(root, False, command="x", timeout=0.3):
            pytest.fail("two programs at work")
        assert f"Process {holder.pid} (" in caught.value.detail and "python" in caught.value.detail
        holder.kill()
        holder.wait()
        with project_lock(root, False, command="x", timeout=1):
            pass
    finally:
        holder.kill()
        holder.communicate()


def test_threads_of_one_program_exclude_each_other(root: Path) -> None:
    inside, together = 0, 0

    def work() -> None:
        nonlocal inside, together
        with project_lock(root, False, command="x", write=[root / "data"], timeout=10):
            inside += 1
            together = max(together, inside)
            time.sleep(0.02)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == 1 and rwlock(root) == {}


def test_claims_have_dvcs_form_and_go_away_also_after_an_error(root: Path) -> None:
    def failing() -> None:
        with project_lock(root, False, command="modelkeep add", write=[root / "a"], read=[root / "b"]):
            info = {"pid": os.getpid(), "cmd": "modelkeep add"}
            assert rwlock(root) == {"write": {str(root / "a"): info}, "read": {str(root / "b"): [info]}}
            raise OSError

    with pytest.raises(OSError):
        failing()
    assert rwlock(root) == {}


@pytest.mark.parametrize(
    ("kind", "theirs", "ours", "claim", "busy"),
    [
        ("write", "data", "data", "write", True),
        ("write", "data/sub", "data", "write", True),
        ("write", "data", "data/sub", "read", True),
        ("write", "data2", "data", "write", False),
        ("read", "data", "data/sub", "write", True),
        ("read", "data", "data", "read", False),
    ],
)
def test_overlapping_claims_of_the_living(
    root: Path, kind: str, theirs: str, ours: str, claim: str, busy: bool
) -> None:
    info = {"pid": os.getppid(), "cmd": "dvc repro"}
    entry: object = [info] if kind == "read" else info
    (root / ".dvc/tmp/rwlock").write_text(json.dumps({kind: {str(root / theirs): entry}}))
    write = [root / ours] if claim == "write" else []
    read = [root / ours] if claim == "read" else []
    lock = project_lock(root, False, command="x", write=write, read=read, timeout=0)
    if busy:
        with pytest.raises(Busy, match=f"Process {os.getppid()}: dvc repro"), lock:
            pytest.fail("claimed what another program uses")
    else:
        with lock:
            pass
    assert rwlock(root) == {kind: {str(root / theirs): entry}}


def test_claims_of_the_dead_are_dropped(root: Path) -> None:
    info = {"pid": a_dead_pid(), "cmd": "dvc repro"}
    state = {"write": {str(root / "data"): info}, "read": {str(root / "data"): [info]}}
    (root / ".dvc/tmp/rwlock").write_text(json.dumps(state))
    with project_lock(root, False, command="x", write=[root / "data"], timeout=0):
        pass
    assert rwlock(root) == {}


@pytest.mark.parametrize("cut", ["", '{"write": {"/x": {"pid": DEAD, "cm', "[]", '{"write": 3}', "\0\0\0"])
def test_a_damaged_list_of_claims_is_started_anew(root: Path, cut: str) -> None:
    (root / ".dvc/tmp/rwlock").write_text(cut.replace("DEAD", str(a_dead_pid())))
    with project_lock(root, False, command="x", write=[root / "data"]):
        assert rwlock(root)["write"]
    assert rwlock(root) == {}


def test_a_damaged_list_that_names_a_living_process_is_left_alone(root: Path) -> None:
    text = f'{{"write": {{"/x": {{"pid": {os.getppid()}, "cm'
    (root / ".dvc/tmp/rwlock").write_text(text)
    with pytest.raises(Busy), project_lock(root, False, command="x", write=[root / "data"], timeout=0):
        pytest.fail("took over from a living program")
    assert (root / ".dvc/tmp/rwlock").read_text() == text


def test_locks_by_hard_links_exclude_each_other_and_leave_nothing(root: Path) -> None:
    lock = root / ".dvc/tmp/lock"
    with project_lock(root, True, command="x", write=[root / "data"]):
        claim = Path(lock.read_text())
        assert claim.parent == lock.parent and claim.samefile(lock) and lock.stat().st_nlink == 2
        assert lock.stat().st_mtime > time.time() + 364 * 24 * 3600
        assert rwlock(root)["write"]
        with (
            pytest.raises(Busy, match="Another program"),
            project_lock(root, True, command="y", timeout=0),
        ):
            pytest.fail("two had the lock")
        assert claim.samefile(lock)
    assert [path.name for path in (root / ".dvc/tmp").iterdir()] == ["rwlock"]


def test_a_lock_of_the_other_kind_that_was_left_is_said(root: Path) -> None:
    """DVC does not get past it either."""
    (root / ".dvc/tmp/lock").write_text(" 1234567890\n")
    with pytest.raises(Busy) as error, project_lock(root, True, command="x", timeout=0):
        pytest.fail("ran without the lock the project uses")
    assert "rm .dvc/tmp/lock" in error.value.hint
    assert [path.name for path in (root / ".dvc/tmp").iterdir()] == ["lock"]


def test_a_lock_that_was_taken_away_is_not_taken_back(root: Path) -> None:
    lock = root / ".dvc/tmp/lock"
    with project_lock(root, True, command="x"):
        lock.unlink()
        lock.write_text("somebody else's")
    assert lock.read_text() == "somebody else's"


def test_dvc_waits_for_us_and_gives_up(
    project: Path, dvc: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    builders.write_tree(project, {"data": "x"})
    with project_lock(project, False, command="modelkeep add", write=[project / "data"]):
        refused = dvc("add", "data", cwd=project, check=False)
    assert refused.returncode != 0 and "Unable to acquire lock" in refused.stderr
    assert not (project / "data.dvc").exists()
    dvc("add", "data", cwd=project)
