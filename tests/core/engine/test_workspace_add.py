"""What adding records, and everything it refuses before it touches a file."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

import builders
from modelkeep.core.engine.hashing import hash_bytes
from modelkeep.core.errors import (
    InvalidFile,
    MissingObjects,
    ModelkeepError,
    NotFound,
    Refused,
    UnsafePath,
    UsageError,
)
from modelkeep.core.values import Change, State
from workspaces import open_workspace


def texts(project: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(project.glob("?*.dvc"))}


# -- refusals ------------------------------------------------------------------------------------------


def _link(target: str, at: str) -> Callable[[Path], None]:
    def prepare(project: Path) -> None:
        (project / at).parent.mkdir(parents=True, exist_ok=True)
        (project / at).symlink_to(target)

    return prepare


def _tree(files: dict[str, str]) -> Callable[[Path], None]:
    return lambda project: builders.write_tree(project, files) and None


def _fifo(project: Path) -> None:
    (project / "d").mkdir()
    os.mkfifo(project / "d/pipe")


def _socket(project: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(project / "s")) if len(str(project)) < 90 else os.mkfifo(project / "s")


def _bad_name(project: Path) -> None:
    (project / "d").mkdir()
    (project / "d").joinpath(os.fsdecode(b"bad\xff")).write_text("x")


def _outer_link(project: Path) -> None:
    (project.parent / "elsewhere").mkdir()
    (project.parent / "elsewhere/f").write_text("x")
    (project / "d").symlink_to("../elsewhere")


def _tracked_by_git(project: Path) -> None:
    builders.make_commit(project, {"d/code.py": "x"})


def _ignored_metafile(project: Path) -> None:
    builders.write_tree(project, {"d/a": "x", ".gitignore": "*.dvc\n"})


REFUSALS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "absent": (lambda _: None, "nowhere", "no file or folder nowhere"),
    "outside": (lambda _: None, "../x", "outside the project"),
    "absolute outside": (lambda _: None, "/etc/hostname", "outside the project"),
    "the project": (lambda _: None, ".", "itself"),
    "link to a file": (_link("README", "lnk"), "lnk", "nowhere|symbolic link"),
    "link to a folder": (_outer_link, "d", "symbolic link"),
    "below a link": (_outer_link, "d/f", "symbolic link"),
    "broken link in a folder": (_link("nowhere", "d/l"), "d", "that lead nowhere: d/l"),
    "fifo": (_fifo, "d", "pipes, sockets or devices: d/pipe"),
    "socket": (_socket, "s", "neither a file nor a folder"),
    "name not UTF-8": (_bad_name, "d", "cannot be recorded"),
    "target not UTF-8": (lambda _: None, os.fsdecode(b"b\xff"), "not valid UTF-8"),
    "name of another .git": (_tree({"d/.GIT/x": "x"}), "d", r"names that cannot be recorded: d/\.GIT"),
    "nested project": (
        _tree({"d/sub/.dvc/config": "", "d/sub/a": "x"}),
        "d",
        r"projects of their own .*: d/sub",
    ),
    "project as target": (_tree({"d/.dvc/config": "", "d/a": "x"}), "d", "projects of their own"),
    "inside a nested project": (_tree({"d/.dvc/config": "", "d/a": "x"}), "d/a", "another project"),
    ".dvcignore inside": (_tree({"d/.dvcignore": "x", "d/a": "x"}), "d", "may not stand inside"),
    "ignored": (_tree({".dvcignore": "d\n", "d/a": "x"}), "d", "ignored by .dvcignore"),
    "below ignored": (_tree({".dvcignore": "d/\n", "d/a": "x"}), "d/a", "ignored by .dvcignore"),
    "a metafile": (_tree({"a.dvc": "outs: []\n"}), "a.dvc", "not data"),
    "pipeline file": (_tree({"dvc.yaml": "stages: {}\n"}), "dvc.yaml", "not data"),
    "tracked by Git": (_tracked_by_git, "d", "Git already tracks d"),
    "metafile ignored by Git": (_ignored_metafile, "d", r"Git ignores \S+\.dvc"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_touch_nothing(project: Path, case: str) -> None:
    prepare, target, message = REFUSALS[case]
    prepare(project)
    builders.write_tree(project, {"fine.bin": "fine"})
    before = builders.snapshot_of(project)
    with pytest.raises(ModelkeepError, match=message):
        open_workspace(project).add(["fine.bin", target])
    after = builders.snapshot_of(project)
    assert {path for path in before.items() ^ after.items() if not path[0].startswith(".dvc/tmp/")} == set()


def test_overlaps_name_both(project: Path) -> None:
    builders.write_tree(project, {"a/b/c": "x", "e/f": "y"})
    workspace = open_workspace(project)
    workspace.add(["a/b"])
    with pytest.raises(Refused, match="a and a/b overlap"):
        workspace.add(["a"])
    with pytest.raises(Refused, match="overlap"):
        workspace.add(["e", "e/f"])
    assert not (project / "e.dvc").exists()


def test_pipeline_outputs_are_the_pipelines(project: Path) -> None:
    builders.write_tree(
        project, {"dvc.yaml": "stages:\n  make:\n    cmd: touch out\n    outs:\n    - out\n", "out": "x"}
    )
    with pytest.raises(Refused, match="made by the pipeline stage make"):
        open_workspace(project).add(["out"])


def test_an_unfinished_checkout_blocks(project: Path) -> None:
    builders.write_tree(project, {"m": "x", ".dvc/tmp/modelkeep/op.json": "{"})
    with pytest.raises(Refused, match="unfinished"):
        open_workspace(project).add(["m"])


@pytest.mark.parametrize(
    ("file", "error"),
    [
        ("meta/x.txt", UsageError),
        ("meta/.dvc", UnsafePath),
        ("../x.dvc", Refused),
        (".dvc/x.dvc", UnsafePath),
        ("d/x.dvc", Refused),
        ("other.dvc", Refused),
    ],
)
def test_places_a_metafile_cannot_have(project: Path, file: str, error: type[Exception]) -> None:
    builders.track_file(project, "other", "x")
    builders.write_tree(project, {"d/a": "x"})
    with pytest.raises(error):
        open_workspace(project).add(["d"], file=file)
    assert not (project / "d.dvc").exists()


def test_a_metafile_that_was_cut_off_is_not_written_over(project: Path) -> None:
    builders.write_tree(project, {"m": "x", "m.dvc": ""})
    with pytest.raises(InvalidFile, match="cut off"):
        open_workspace(project).add(["m"])
    assert not (project / ".dvc/cache").exists()


# -- recording -----------------------------------------------------------------------------------------


def test_what_is_left_out_is_said(project: Path) -> None:
    builders.write_tree(
        project, {".dvcignore": "*.tmp\n", "d/a": "a", "d/b.tmp": "b", "d/hollow/": "", "d/.git/x": "x"}
    )
    (project / "d/up").symlink_to("..")
    notes = open_workspace(project).add(["d"]).notes
    assert notes == (
        "d: b.tmp (ignored by .dvcignore, not recorded).",
        "d: .git (Git's own, not recorded).",
        "d: up (symbolic links to folders, not recorded: put the folder itself there).",
        "d: hollow (empty folders, not recorded).",
    )


def test_an_absolute_target_and_a_trailing_slash(project: Path) -> None:
    builders.write_tree(project, {"d/a": "a", "e/b": "b"})
    done = open_workspace(project).add([str(project / "d"), "e/"])
    assert done.paths == ("d.dvc", ".gitignore", "e.dvc") or set(done.paths) == {
        "d.dvc",
        "e.dvc",
        ".gitignore",
    }
    assert done.what == Change.METAFILES | Change.CACHE
    assert (done.files, done.bytes) == (2, 2)


def test_patterns(project: Path) -> None:
    builders.write_tree(project, {"m1.bin": "1", "m2.bin": "2", "n*.bin": "3"})
    workspace = open_workspace(project)
    workspace.add(["m*.bin"], glob=True)
    assert set(texts(project)) == {"m1.bin.dvc", "m2.bin.dvc"}
    workspace.add(["n*.bin"])
    assert "n*.bin.dvc" in texts(project)
    with pytest.raises(NotFound, match="matches"):
        workspace.add(["q*"], glob=True)


def test_a_part_of_a_folder(project: Path) -> None:
    builders.track_folder(project, "d", {"a": "a", "s/b": "b", "s/c": "c"})
    builders.write_tree(project, {"d/new": "new", "d/s/b": "BB", "d/unasked": "x"})
    (project / "d/s/c").unlink()
    workspace = open_workspace(project)
    done = workspace.add(["d/new", "d/s"])
    assert done.paths == ("d.dvc",)
    assert "size: 6\n" in texts(project)["d.dvc"]
    status = workspace.status().outputs[0]
    assert (status.state, status.added, status.changed, status.removed) == (
        State.MODIFIED,
        ("unasked",),
        (),
        (),
    )
    with pytest.raises(NotFound):
        workspace.add(["d/never"])


def test_a_part_needs_the_list_of_files(project: Path) -> None:
    name = builders.track_folder(project, "d", {"a": "unlisted", "b": "u2"})
    (project / f".dvc/cache/files/md5/{name[:2]}/{name[2:]}.dir").unlink()
    with pytest.raises(MissingObjects, match="list of files"):
        open_workspace(project).add(["d/a"])


def test_a_wrong_object_in_the_cache_does_not_survive(project: Path) -> None:
    """The object is replaced by what was read, and the user's file stays as it is."""
    builders.write_tree(project, {"m": "right"})
    name = hash_bytes(b"right")
    path = project / ".dvc/cache/files/md5" / name[:2] / name[2:]
    builders.write_tree(path.parent, {path.name: "wrong"})
    path.chmod(0o444)
    open_workspace(project).add(["m"])
    assert path.read_text() == (project / "m").read_text() == "right"


def test_missing_objects_are_healed_by_adding_again(project: Path) -> None:
    name = builders.track_file(project, "m", "content")
    path = project / ".dvc/cache/files/md5" / name[:2] / name[2:]
    path.unlink()
    workspace = open_workspace(project)
    assert workspace.status().outputs[0].missing == 1
    assert workspace.add(["m"]).paths == ()
    assert path.read_text() == "content"
    assert workspace.status().outputs[0].missing == 0


def test_without_git(tmp_path: Path) -> None:
    project = builders.write_tree(tmp_path / "p", {".dvc/config": "[core]\n    no_scm = True\n", "m": "x"})
    workspace = open_workspace(project, git=False)
    assert workspace.add(["m"]).paths == ("m.dvc",)
    assert not (project / ".gitignore").exists()
    assert workspace.status().outputs[0].state is State.CLEAN


def test_autostage_is_the_users_to_switch_on(project: Path, home: Path) -> None:
    builders.write_tree(project, {".dvc/config": "[core]\n    autostage = true\n", "m": "x", "n": "y"})
    open_workspace(project).add(["m"])
    assert builders.git(project, "diff", "--cached", "--name-only") == ""
    builders.write_tree(home / ".config/dvc", {"config": "[core]\n    autostage = true\n"})
    builders.write_tree(project, {".dvc/config": ""})
    open_workspace(project).add(["n"])
    assert builders.git(project, "diff", "--cached", "--name-only").split() == [".gitignore", "n.dvc"]


def test_measure_only_looks(project: Path) -> None:
    builders.write_tree(project, {"d/a": "12345", "d/b": "1"})
    workspace = open_workspace(project)
    assert workspace.measure("d") == (2, 6)
    assert workspace.measure("nowhere") == (0, 0)
