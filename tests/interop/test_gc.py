"""Cleaning up beside DVC: each keeps all that the other needs, and both mean the same by a scope (§8, row GC)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import builders
from cleaning import FORGET, cached, clean, here, key, save
from conftest import Dvc
from interop import legacy
from interop.judging import assert_clean, dvc_status
from interop.projects import opened
from modelkeep.core.errors import Refused
from modelkeep.core.leftovers import temp_name
from modelkeep.core.workflows import data, gc
from modelkeep.core.workflows.gc import Keep

DATA = {"d/a": "a", "d/b": "b", "model.bin": b"\0model"}


@pytest.fixture
def work(project: Path, remote: Path) -> Path:
    """A project with a remote, nothing tracked yet."""
    builders.set_default_remote(project, str(remote))
    builders.write_tree(project, DATA)
    return project


def dvc_would_remove(dvc: Dvc, project: Path, *scope: str) -> set[str]:
    """The keys that `dvc gc` names without removing them."""
    said = dvc("gc", *scope, "--dry", "-f", cwd=project)
    found = re.findall(r"Removing (.*/\.dvc/cache/)(\S+)", said.stdout + said.stderr)
    return {name for _, name in found}


def test_10_2_36_what_dvc_recorded_is_kept_and_the_same_is_garbage(
    work: Path, remote: Path, dvc: Dvc
) -> None:
    """A folder, a file, and a pipeline with stages for each of several items; strangers beside them."""
    stages = "stages:\n  make:\n    foreach: [x, y]\n    do:\n      cmd: echo ${item} > ${item}.out\n      outs: ['${item}.out']\n"
    builders.write_tree(work, {"dvc.yaml": stages})
    dvc("add", "d", "model.bin", cwd=work)
    dvc("repro", cwd=work)
    builders.make_commit(work, {}, "First")
    builders.make_tag(work, "v1", "First")
    builders.write_tree(work, {"d/c": "c", "d/a": "a changed"})
    dvc("add", "d", cwd=work)
    builders.make_commit(work, {}, "Second")
    dvc("push", "-A", cwd=work)
    builders.write_tree(work / ".dvc/cache", {"ab/cdef": "a stranger", "README": "x"})
    builders.write_tree(remote, {"ab/cdef": "a stranger", "mykeys/x": "x"})
    with opened(work) as project:
        for keep, scope in ((FORGET, ("-w",)), (Keep(tags=True, stashes=False, reflog=False), ("-w", "-T"))):
            theirs = dvc_would_remove(dvc, work, *scope) - {"ab/cdef"}
            assert set(gc.plan_gc(project, keep).remove) == theirs
            assert (key("a") in theirs) == (not keep.tags)
        done = clean(project, yes=True, cloud=True, grace=0)
    assert done.details["from_cache"] == done.details["from_remote"] == 2
    assert (work / ".dvc/cache/ab/cdef").exists() and (remote / "ab/cdef").exists()
    assert (remote / "mykeys/x").exists()
    assert dvc_status(dvc, work) == {}
    assert_clean(work)


def test_10_2_36_after_ours_dvc_removes_nothing_that_is_needed(work: Path, remote: Path, dvc: Dvc) -> None:
    """Our temporary files vanish, quarantine is not seen, and what comes back from there is believed."""
    with opened(work) as project:
        data.add(project, ["d", "model.bin"])
        builders.make_commit(work, {}, "First")
        builders.write_tree(work, {"d/c": "c"})
        data.add(project, ["d"])
        builders.make_commit(work, {}, "Second")
        clean(project, even_unpushed=True)
        kept = cached(work)
        (work / ".dvc/cache/files/md5/ab").mkdir(exist_ok=True)
        (work / ".dvc/cache/files/md5/ab" / temp_name()).write_text("of a run that was killed")
        dvc("gc", "-w", "-f", cwd=work)
        assert cached(work) == kept
        assert gc.undo(project).files == 1  # the list of the folder before
        dvc("gc", "-w", "-f", cwd=work)
        assert cached(work) == kept
    assert dvc_status(dvc, work) == {}


def test_10_2_26_a_broken_metafile_of_the_past_stops_a_clean_up_that_needs_it(work: Path, dvc: Dvc) -> None:
    save(work, f="now")
    broken = builders.make_commit(work, {"bad.dvc": "outs:\n- nonsense: 1\n  path: bad\n"}, "Broken")
    builders.git(work, "rm", "--quiet", "bad.dvc")
    builders.make_commit(work, {}, "Mended")
    builders.put_object(work / ".dvc/cache", b"garbage")
    assert dvc("gc", "-A", "-f", cwd=work, check=False).returncode != 0
    with opened(work) as project:
        with pytest.raises(Refused, match=rf"bad\.dvc in {broken[:10]}"):
            gc.plan_gc(project, Keep(commits=True))
        assert here(work, "now", "garbage") == {"now", "garbage"}
        clean(project, even_unpushed=True)
    assert here(work, "now", "garbage") == {"now"}
    assert dvc_status(dvc, work) == {}


def test_app_c_10_what_somebody_is_writing_is_left_alone(work: Path, dvc: Dvc) -> None:
    """DVC takes the temporary files of other programs at work; we take those that nobody wrote to for a day."""
    young = work / ".dvc/cache/files/md5/ab" / temp_name()
    builders.write_tree(young.parent, {young.name: "half of an object"})
    with opened(work) as project:
        clean(project, even_unpushed=True)
    assert young.exists()
    dvc("gc", "-w", "-f", cwd=work)
    assert not young.exists()


def test_10_1_objects_of_both_layouts(tmp_path: Path, remote: Path, dvc: Dvc) -> None:
    """What DVC 2 left is needed as much as what came later."""
    work = legacy.make(tmp_path / "work", remote)
    builders.track_file(work, "new", "new")
    builders.write_tree(
        work / ".dvc/cache", {f"ab/{'c' * 30}": "garbage", f"files/md5/ab/{'c' * 30}": "garbage"}
    )
    with opened(work) as project:
        plan = gc.plan_gc(project, FORGET, even_unpushed=True)
    assert set(plan.remove) == {f"ab/{'c' * 30}", f"files/md5/ab/{'c' * 30}"}
    assert dvc_would_remove(dvc, work, "-w") == set(plan.remove)
