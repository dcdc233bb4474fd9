"""Finding what is tracked, and how it stands against its metafiles and against HEAD."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import builders
from modelkeep.core.values import State
from workspaces import open_workspace


def states(project: Path) -> dict[str, tuple[State, State]]:
    return {one.output.path: (one.state, one.committed) for one in open_workspace(project).status().outputs}


# -- what is tracked -----------------------------------------------------------------------------------


def test_what_is_ignored_or_foreign_is_not_read(project: Path) -> None:
    text = "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 0\n  hash: md5\n  path: {}\n"
    for folder in ("", "sub/", "venv/", "skipped/", "other/", "elsewhere/"):
        builders.write_tree(project, {f"{folder}x.dvc": text.format("x")})
    builders.track_folder(project, "data", {"inner.dvc": text.format("y")})
    builders.write_tree(
        project, {".dvcignore": "skipped\n", "other/.dvc/config": "", "sub/ignored.dvc": text.format("z")}
    )
    builders.write_tree(project, {".gitignore": "/venv\n/data\nignored.dvc\n"})
    (project / "elsewhere").rename(project.parent / "elsewhere")
    (project / "linked").symlink_to("../elsewhere")
    (project / "link.dvc").symlink_to("x.dvc")
    snapshot = open_workspace(project).outputs()
    assert [out.path for out in snapshot.outputs] == ["data", "sub/x", "x"]
    assert not snapshot.problems


def test_problems_are_named_and_the_rest_is_read(project: Path) -> None:
    builders.track_file(project, "good", "x")
    builders.track_file(project, "twice", "x")
    builders.write_tree(
        project,
        {
            "empty.dvc": "",
            "wild.dvc": "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  path: ../../x\n",
            "sub/again.dvc": (project / "twice.dvc").read_text().replace("path: twice", "path: ../twice"),
        },
    )
    snapshot = open_workspace(project).outputs()
    assert [(out.path, out.metafile) for out in snapshot.outputs] == [
        ("good", "good.dvc"),
        ("twice", "twice.dvc"),
    ]
    assert {problem.file for problem in snapshot.problems} == {"empty.dvc", "wild.dvc", "sub/again.dvc"}


def test_edited_metafiles_are_read_anew(project: Path) -> None:
    builders.track_file(project, "m", "one")
    workspace = open_workspace(project)
    first = workspace.outputs().outputs[0].oid
    builders.track_file(project, "m", "two")
    assert workspace.outputs().outputs[0].oid != first
    assert workspace.last_outputs == workspace.outputs().outputs


def test_a_project_in_a_folder_of_the_repository(git_repo: Path) -> None:
    root = git_repo / "part"
    builders.write_tree(root, {".dvc/config": "", "m": "x", "old/a": "a"})
    workspace = open_workspace(root)
    workspace.add(["m", "old"])
    assert (root / ".gitignore").read_text() == "/m\n/old\n"
    builders.make_commit(git_repo, {}, "Data")
    assert states(root) == {"m": (State.CLEAN, State.CLEAN), "old": (State.CLEAN, State.CLEAN)}
    assert workspace.add(["m"]).paths == ()


# -- how it stands -------------------------------------------------------------------------------------


def test_states(project: Path) -> None:
    for name in ("clean", "edited", "deleted", "recorded", "dropped"):
        builders.track_file(project, name, name)
    builders.track_folder(project, "folder", {"keep": "k", "edit": "e", "lose": "l"})
    builders.make_commit(project, {}, "All")
    builders.write_tree(project, {"edited": "EDITED", "folder/edit": "E", "folder/extra": "x"})
    (project / "folder/lose").unlink()
    (project / "deleted").unlink()
    builders.track_file(project, "recorded", "again")
    builders.track_file(project, "new", "n")
    (project / "dropped.dvc").unlink()
    builders.write_tree(
        project,
        {"import.dvc": "frozen: true\ndeps:\n- path: http://x/y\nouts:\n- hash: md5\n  path: import\n"},
    )

    status = open_workspace(project).status()
    assert {one.output.path: (one.state, one.committed) for one in status.outputs} == {
        "clean": (State.CLEAN, State.CLEAN),
        "deleted": (State.DELETED, State.CLEAN),
        "dropped": (State.CLEAN, State.DELETED),
        "edited": (State.MODIFIED, State.CLEAN),
        "folder": (State.MODIFIED, State.CLEAN),
        "import": (State.NOT_IN_CACHE, State.NEW),
        "new": (State.CLEAN, State.NEW),
        "recorded": (State.CLEAN, State.MODIFIED),
    }
    folder = next(one for one in status.outputs if one.output.path == "folder")
    assert (folder.added, folder.changed, folder.removed) == (("extra",), ("edit",), ("lose",))
    assert status.branch == "main"
    assert set(status.git_changes) == {".gitignore", "dropped.dvc", "import.dvc", "new.dvc", "recorded.dvc"}
    assert not status.is_clean


def test_a_fresh_clone_has_nothing_here(project: Path, tmp_path: Path) -> None:
    builders.track_file(project, "m", "model")
    builders.track_folder(project, "d", {"a": "1", "b": "2"})
    builders.make_commit(project, {}, "All")
    other = tmp_path / "clone"
    builders.run("git", "clone", "--quiet", project, other)
    assert states(other) == {
        "d": (State.NOT_IN_CACHE, State.CLEAN),
        "m": (State.NOT_IN_CACHE, State.CLEAN),
    }


def test_same_size_edits_are_noticed(project: Path) -> None:
    builders.track_file(project, "m", "aaaa")
    path = project / "m"
    long_ago = time.time() - 1000
    os.utime(path, (long_ago, long_ago))
    assert states(project)["m"][0] is State.CLEAN
    path.write_text("bbbb")
    os.utime(path, (long_ago, long_ago))
    assert states(project)["m"][0] is State.MODIFIED


def test_the_executable_bit_is_no_change(project: Path) -> None:
    builders.track_file(project, "m", "x")
    (project / "m").chmod(0o755)
    assert states(project)["m"][0] is State.CLEAN


@pytest.mark.parametrize("kind", ["file for folder", "folder for file", "link to a folder", "broken link"])
def test_what_an_output_cannot_be_is_a_change(project: Path, kind: str) -> None:
    if kind == "folder for file":
        builders.track_file(project, "o", "x")
        (project / "o").unlink()
        builders.write_tree(project, {"o/a": "x"})
    else:
        builders.track_folder(project, "o", {"a": "x"})
        builders.run("rm", "-r", project / "o")
        if kind == "file for folder":
            builders.write_tree(project, {"o": "x"})
        else:
            (project / "o").symlink_to("." if kind == "link to a folder" else "nowhere")
    assert states(project)["o"][0] is State.MODIFIED


def test_content_is_what_is_on_disk(project: Path) -> None:
    builders.track_folder(project, "d", {"a": "1", "b": "22"})
    builders.track_file(project, "m", "model")
    builders.write_tree(project, {"d/b": "333", "untracked": "x"})
    assert open_workspace(project).content() == {
        "d/a": (builders.md5(b"1"), 1),
        "d/b": (builders.md5(b"333"), 3),
        "m": (builders.md5(b"model"), 5),
    }
