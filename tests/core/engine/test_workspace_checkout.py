"""Bringing data back: exact, never at the cost of what exists nowhere else, and complete after a kill."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import builders
from modelkeep.core.engine.workspace import Workspace
from modelkeep.core.engine.workspace_checkout import CheckoutPlan
from modelkeep.core.errors import (
    CorruptObject,
    MissingObjects,
    ModelkeepError,
    Refused,
    StoreFailed,
    UnsafePath,
    UnsavedChanges,
)
from modelkeep.core.paths import Tree
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.values import Change, Changes, Output, State
from workspaces import open_workspace

FILES = {"a": "aaa", "s/b": "bbb", "s/t/c": "ccc"}


def plan(project: Path, **options: object) -> CheckoutPlan:
    workspace = open_workspace(project)
    return workspace.plan_checkout(workspace.outputs().outputs, **options)  # type: ignore[arg-type]


def checkout(project: Path, *, force: bool = False, **options: object) -> Changes:
    workspace = open_workspace(project)
    found = workspace.plan_checkout(workspace.outputs().outputs, **options)  # type: ignore[arg-type]
    return workspace.run_checkout(found, force=force)


def object_path(project: Path, name: str) -> Path:
    return project / ".dvc/cache/files/md5" / name[:2] / name[2:]


def content(folder: Path) -> dict[str, str]:
    return {path: text.decode() for path, text in builders.read_tree(folder, without=()).items()}


def outputs(workspace: Workspace) -> tuple[Output, ...]:
    return workspace.outputs().outputs


def test_from_nothing_and_then_nothing_to_do(project: Path) -> None:
    builders.track_folder(project, "d", FILES)
    builders.track_file(project, "m.bin", "model")
    builders.run("rm", "-r", project / "d", project / "m.bin")
    found = plan(project)
    assert found.create == ("d/a", "d/s/b", "d/s/t/c", "m.bin")
    assert found.bytes == 14
    done = open_workspace(project).run_checkout(found)
    assert done.what == Change.WORKSPACE
    assert content(project / "d") == FILES
    assert (project / "m.bin").stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert plan(project).is_empty
    assert open_workspace(project).status().outputs[0].state is State.CLEAN
    left = [path.name for path in (project / ".dvc/tmp/modelkeep").rglob("*")]
    assert sorted(left) == ["stage", "stat.sqlite"]


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_saved_changes_are_replaced_and_unsaved_ones_refused(project: Path) -> None:
    builders.track_folder(project, "d", FILES)
    builders.put_object(project / ".dvc/cache", b"saved")
    builders.write_tree(project / "d", {"a": "saved"})
    assert plan(project).unsaved == ()
    checkout(project)
    assert content(project / "d") == FILES

    builders.write_tree(project / "d", {"a": "precious", "s/extra": "more"})
    (project / "d/s/b").unlink()
    before = builders.snapshot_of(project / "d")
    found = plan(project)
    assert (found.create, found.replace, found.delete) == (("d/s/b",), ("d/a",), ("d/s/extra",))
    assert found.unsaved == ("d/a", "d/s/extra")
    with pytest.raises(UnsavedChanges) as error:
        open_workspace(project).run_checkout(found)
    assert error.value.paths == ("d/a", "d/s/extra")
    assert builders.snapshot_of(project / "d") == before


def test_forced_replacement_can_be_brought_back(project: Path) -> None:
    builders.track_folder(project, "d", FILES)
    builders.write_tree(project / "d", {"a": "precious", "s/extra": "more"})
    (project / "d/a").chmod(0o600)
    done = checkout(project, force=True)
    assert content(project / "d") == FILES
    assert done.what == Change.WORKSPACE | Change.CACHE
    workspace = open_workspace(project)
    (record,) = workspace.replaced()
    assert record.paths == ("d/a", "d/s/extra")
    assert done.details["replaced"] == record.id

    builders.write_tree(project / "d", {"a": "yet another"})
    workspace.bring_back(record.id)
    assert content(project / "d") == {**FILES, "a": "precious", "s/extra": "more"}
    assert (project / "d/a").stat().st_mode & 0o777 == 0o600
    newest = workspace.replaced()[0]
    assert newest.paths == ("d/a",)
    workspace.bring_back(newest.id)
    assert (project / "d/a").read_text() == "yet another"


def test_ignored_files_and_folders_that_hold_them_stay(project: Path) -> None:
    builders.track_folder(project, "d", FILES)
    builders.write_tree(
        project, {".dvcignore": "*.tmp\n", "d/s/t/note.tmp": "mine", "d/old/x": "aaa", "d/old/y/z": "bbb"}
    )
    (project / "d/s/t/c").unlink()
    checkout(project)
    assert content(project / "d") == {**FILES, "s/t/note.tmp": "mine"}
    assert not (project / "d/old").exists()


def test_a_missing_object_stops_everything_before_it_starts(project: Path) -> None:
    name = builders.track_folder(project, "d", FILES)
    builders.track_file(project, "m", "model")
    object_path(project, builders.md5(b"ccc")).unlink()
    assert plan(project).is_empty  # what is missing is intact on disk
    (project / "d/s/t/c").unlink()
    (project / "m").unlink()
    assert plan(project).missing == ("d/s/t/c",)
    with pytest.raises(MissingObjects):
        checkout(project)
    assert not (project / "m").exists()
    assert content(project / "d") == {"a": "aaa", "s/b": "bbb"}

    found = plan(project, expect_fetched=True)
    assert found.missing == ()
    assert found.create == ("d/s/t/c", "m")
    with pytest.raises(MissingObjects):
        open_workspace(project).run_checkout(found)

    object_path(project, f"{name}.dir").unlink()
    assert open_workspace(project).status().outputs[0].state is State.MODIFIED


def test_a_damaged_object_is_never_handed_out(project: Path) -> None:
    builders.track_folder(project, "d", FILES)
    path = object_path(project, builders.md5(b"bbb"))
    path.chmod(0o644)
    path.write_text("bbX")
    path.chmod(0o444)
    (project / "d/s/b").unlink()
    (project / "d/a").unlink()
    with pytest.raises(CorruptObject) as error:
        checkout(project)
    assert error.value.paths == ("d/s/b",)
    assert content(project / "d") == {"s/t/c": "ccc"}
    assert not path.exists()
    assert len(list((project / ".dvc/tmp/modelkeep/quarantine").iterdir())) == 1
    assert open_workspace(project).unfinished_checkout() is None


def test_a_damaged_saved_copy_protects_the_file(project: Path) -> None:
    """The cache claims to have the changed content, but its copy is wrong: the file is the last good one."""
    builders.track_file(project, "m", "model")
    path = object_path(project, builders.put_object(project / ".dvc/cache", b"newer"))
    path.chmod(0o644)
    path.write_text("neweX")
    path.chmod(0o444)
    builders.write_tree(project, {"m": "newer"})
    with pytest.raises(Refused, match="saved copy of m is damaged"):
        checkout(project)
    assert (project / "m").read_text() == "newer"
    assert plan(project).unsaved == ("m",)


def test_files_and_folders_change_places(project: Path) -> None:
    builders.track_folder(project, "d", {"x/y": "1", "z": "2"})
    builders.track_file(project, "f", "3")
    builders.track_folder(project, "e", {"g": "4"})
    builders.run("rm", "-r", project / "d/x", project / "d/z", project / "f", project / "e")
    builders.write_tree(project, {"d/x": "file", "d/z/deep/er": "folder", "f/inner": "folder", "e": "file"})
    found = plan(project)
    assert found.unsaved == ("d/x", "d/z/deep/er", "e", "f/inner")
    with pytest.raises(UnsavedChanges):
        checkout(project)
    checkout(project, force=True)
    assert content(project / "d") == {"x/y": "1", "z": "2"}
    assert (project / "f").read_text() == "3"
    assert content(project / "e") == {"g": "4"}


def test_some_files_of_a_folder(project: Path) -> None:
    builders.track_folder(project, "d", FILES)
    builders.run("rm", "-r", project / "d")
    builders.write_tree(project / "d", {"own": "unsaved", "a": "edited"})
    checkout(project, sub={"d": ("s/t", "s/b")})
    assert content(project / "d") == {"own": "unsaved", "a": "edited", "s/b": "bbb", "s/t/c": "ccc"}
    with pytest.raises(MissingObjects):
        checkout(project, sub={"d": ("nowhere",)})


def test_data_of_outputs_that_are_gone_is_removed(project: Path) -> None:
    builders.track_folder(project, "d", FILES)
    builders.track_file(project, "m", "model")
    workspace = open_workspace(project)
    gone = outputs(workspace)
    (project / "d.dvc").unlink()
    (project / "m.dvc").unlink()
    builders.write_tree(project / "d", {"new": "unsaved"})
    found = workspace.plan_checkout((), gone=gone)
    assert found.delete == ("d/a", "d/new", "d/s/b", "d/s/t/c", "m")
    assert found.unsaved == ("d/new",)
    (project / "d/new").unlink()
    workspace.run_checkout(workspace.plan_checkout((), gone=gone))
    assert not (project / "d").exists()
    assert not (project / "m").exists()


def test_gone_data_that_git_tracks_now_stays(project: Path) -> None:
    builders.track_file(project, "m", "model")
    workspace = open_workspace(project)
    gone = outputs(workspace)
    (project / "m.dvc").unlink()
    builders.git(project, "add", "--force", "m")
    workspace.run_checkout(workspace.plan_checkout((), gone=gone))
    assert (project / "m").exists()


def test_links_are_never_followed(project: Path, tmp_path: Path) -> None:
    builders.track_folder(project, "d", FILES)
    outside = builders.write_tree(tmp_path / "outside", {"a": "theirs", "s/b": "theirs"})
    builders.run("rm", "-r", project / "d")
    (project / "d").symlink_to(outside)
    with pytest.raises(Refused, match="in the way"):
        checkout(project, force=True)
    (project / "d").unlink()
    (project / "d").mkdir()
    (project / "d/s").symlink_to(outside / "s")
    with pytest.raises((Refused, UnsafePath)):
        checkout(project, force=True)
    assert content(outside) == {"a": "theirs", "s/b": "theirs"}


def test_a_linked_parent_is_refused(project: Path, tmp_path: Path) -> None:
    outside = builders.write_tree(tmp_path / "outside", {"x": "theirs"})
    builders.track_file(project, "lnk/x", "ours")
    builders.run("rm", "-r", project / "lnk")
    builders.write_tree(
        project,
        {"lnk.dvc": f"outs:\n- md5: {builders.md5(b'ours')}\n  size: 4\n  hash: md5\n  path: lnk/x\n"},
    )
    (project / "lnk").symlink_to(outside)
    with pytest.raises(ModelkeepError, match="symbolic link"):
        checkout(project, force=True)
    assert content(outside) == {"x": "theirs"}


def test_links_into_the_cache_are_dvcs_own(project: Path) -> None:
    """With `cache.type symlink` DVC links data to objects, also to objects that are gone."""
    name = builders.track_file(project, "m", "model")
    (project / "m").unlink()
    (project / "m").symlink_to(object_path(project, name))
    assert open_workspace(project).status().outputs[0].state is State.CLEAN
    assert plan(project).is_empty
    new = builders.put_object(project / ".dvc/cache", b"newer")
    (project / "m").unlink()
    (project / "m").symlink_to(object_path(project, new))
    object_path(project, new).unlink()
    checkout(project)
    assert not (project / "m").is_symlink()
    assert (project / "m").read_text() == "model"


def test_hard_linked_objects_are_not_written_to(project: Path) -> None:
    name = builders.track_file(project, "m", "model")
    other = builders.put_object(project / ".dvc/cache", b"other")
    (project / "m").unlink()
    os.link(object_path(project, other), project / "m")
    checkout(project)
    assert (project / "m").read_text() == "model"
    assert object_path(project, other).read_text() == "other"
    assert object_path(project, name).stat().st_nlink == 1


def test_export_leaves_other_files_alone(project: Path, tmp_path: Path) -> None:
    builders.track_folder(project, "d", FILES)
    builders.track_file(project, "m", "model")
    target = builders.write_tree(tmp_path / "out", {"d/a": "aaa", "d/own": "mine", "m": "differs"})
    found = plan(project, target=Tree(target))
    assert (found.create, found.replace, found.unsaved) == (("d/s/b", "d/s/t/c"), ("m",), ("m",))
    with pytest.raises(UnsavedChanges):
        open_workspace(project).run_checkout(found)
    assert not (target / "d/s").exists()
    done = open_workspace(project).run_checkout(found, force=True)
    assert content(target) == {
        **{f"d/{path}": text for path, text in FILES.items()},
        "d/own": "mine",
        "m": "model",
    }
    fresh = tmp_path / "some/new/place"
    checkout(project, target=Tree(fresh))
    assert content(fresh) == {**{f"d/{path}": text for path, text in FILES.items()}, "m": "model"}
    open_workspace(project).bring_back(done.details["replaced"])
    assert (target / "m").read_text() == "differs"


def test_an_export_obeys_no_rules_of_the_folder_it_goes_to(project: Path, tmp_path: Path) -> None:
    builders.track_folder(project, "d", FILES)
    target = builders.write_tree(tmp_path / "out", {".dvcignore": "*\n", "d/a": "theirs"})
    assert plan(project, target=Tree(target)).unsaved == ("d/a",)


def test_the_executable_bit_is_restored_but_never_through_a_link(project: Path, tmp_path: Path) -> None:
    builders.track_file(project, "run.sh", "#!/bin/sh\n")
    path = project / "run.sh"
    text = (project / "run.sh.dvc").read_text()
    (project / "run.sh.dvc").write_text(text.replace("  hash:", "  isexec: true\n  hash:"))
    checkout(project)
    assert path.stat().st_mode & 0o100
    outside = builders.write_tree(tmp_path / "outside", {"theirs": "#!/bin/sh\n"}) / "theirs"
    path.unlink()
    path.symlink_to(outside)
    checkout(project)
    assert not outside.stat().st_mode & 0o100
    path.unlink()
    checkout(project)
    assert path.stat().st_mode & 0o100


def test_a_folder_nobody_may_write_to_is_said_and_healed(project: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    builders.track_folder(project, "d", FILES)
    builders.write_tree(project / "d", {"a": "bbb"})
    (project / "d").chmod(0o555)
    with pytest.raises(StoreFailed, match="Permission"):
        checkout(project)
    (project / "d").chmod(0o755)
    assert open_workspace(project).unfinished_checkout() is not None
    checkout(project)
    assert content(project / "d") == FILES


def test_metafiles_are_written_with_the_data(project: Path) -> None:
    old = builders.track_file(project, "m", "old")
    old_text = (project / "m.dvc").read_bytes()
    builders.make_commit(project, {}, "old")
    builders.track_file(project, "m", "new")
    workspace = open_workspace(project)
    (out,) = workspace.outputs().outputs
    back = Output("m", type(out.oid)(old) if out.oid else None, "m.dvc")
    workspace.run_checkout(workspace.plan_checkout([back]), metafiles={"m.dvc": old_text})
    assert (project / "m").read_text() == "old"
    assert (project / "m.dvc").read_bytes() == old_text
    (record,) = workspace.replaced()  # the metafile of "new" was in no commit
    workspace.bring_back(record.id)
    assert builders.md5(b"new") in (project / "m.dvc").read_text()


def test_cancelling_while_staging_changes_nothing(project: Path) -> None:
    builders.track_folder(project, "d", FILES)
    builders.run("rm", "-r", project / "d")
    found = plan(project)
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        open_workspace(project).run_checkout(found, progress=progress)
    assert not (project / "d").exists()


# -- kills -----------------------------------------------------------------------------------------------

# For each number on its input: a child checks out the project and dies before its number-th change of a file.
_KILLED = """
import os, sys
from pathlib import Path
from workspaces import open_workspace

def dying(work):
    def step(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os._exit(137)
        return work(*args, **kwargs)
    return step

def run(root):
    for name in ("replace", "unlink", "rmdir", "mkdir"):
        setattr(os, name, dying(getattr(os, name)))
    workspace = open_workspace(root)
    workspace.run_checkout(workspace.plan_checkout(workspace.outputs().outputs))

for line in sys.stdin:
    left = int(line)
    child = os.fork()
    if child == 0:
        run(Path(sys.argv[1]))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def killed(project: Path) -> Iterator[Callable[[int], int]]:
    """Check out the project in a process that is killed at the given step; returns its exit code."""
    path = os.pathsep.join([*(one for one in sys.path if one), str(Path(__file__).parents[2])])
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(project)],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        pipes = process.stdin, process.stdout

        def call(number: int) -> int:
            print(number, file=pipes[0], flush=True)
            return int(pipes[1].readline())

        yield call
        pipes[0].close()


def test_a_kill_at_any_step_leaves_old_or_new_and_the_next_run_completes(
    project: Path, killed: Callable[[int], int]
) -> None:
    old, new = {"a": "older", "s/b": "bbb", "gone/x": "older"}, {"a": "aaa", "s/b": "bbb", "new/file": "n"}
    builders.track_folder(project, "d", new)
    builders.put_object(project / ".dvc/cache", b"older")
    for number in range(100):
        shutil.rmtree(project / "d", ignore_errors=True)
        builders.write_tree(project / "d", old)
        status = killed(number)
        found = content(project / "d")
        assert found.get("a") in ("older", "aaa")
        assert found.get("s/b") == "bbb"
        assert set(found) <= {*old, *new}  # no temporary file among the data
        if status == 0:
            break
        workspace = open_workspace(project)
        if found not in (old, new):
            with pytest.raises(Refused, match="unfinished"):
                workspace.add(["d"])
        checkout(project)
        assert content(project / "d") == new
        assert workspace.unfinished_checkout() is None
        assert not any(path.is_file() for path in (project / ".dvc/tmp/modelkeep/stage").rglob("*"))
    assert 10 < number < 99


def test_an_unfinished_checkout_of_something_else_stays_on_record(project: Path) -> None:
    builders.track_file(project, "m", "model")
    builders.track_file(project, "n", "other")
    record = {"operation": "checkout", "started": "2026-01-01T00:00:00+00:00", "outputs": ["m", "dropped"]}
    builders.write_tree(project, {".dvc/tmp/modelkeep/op.json": json.dumps(record)})
    workspace = open_workspace(project)
    (out,) = [one for one in outputs(workspace) if one.path == "n"]
    workspace.run_checkout(workspace.plan_checkout([out]))
    unfinished = workspace.unfinished_checkout()
    assert unfinished is not None
    assert unfinished.outputs == ("m",)
    checkout(project)
    assert workspace.unfinished_checkout() is None
