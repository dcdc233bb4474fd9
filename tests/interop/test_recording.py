"""What we record and what the real dvc records is the same to the last byte, and each finds the other's clean."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import builders
from conftest import Dvc
from interop import trees
from interop.judging import assert_clean, dvc_status, our_states
from modelkeep.core.errors import Refused
from modelkeep.core.values import State
from workspaces import open_workspace


def test_10_2_02_03_07_08_09_the_same_trees_give_the_same_bytes(tmp_path: Path, dvc: Dvc) -> None:
    ours, theirs = builders.make_project(tmp_path / "ours"), builders.make_project(tmp_path / "theirs")
    targets = trees.write_outputs(ours)
    trees.write_outputs(theirs)
    content = trees.data(ours, targets)

    open_workspace(ours).add(targets)
    dvc("add", "--", *targets, cwd=theirs)

    assert trees.texts(ours) == trees.texts(theirs)
    assert trees.objects(ours) == trees.objects(theirs)
    for name, (manifest, size, count) in trees.VECTORS.items():
        text = (
            f"outs:\n- md5: {manifest}.dir\n  size: {size}\n  nfiles: {count}\n  hash: md5\n  path: {name}\n"
        )
        assert (ours / f"{name}.dvc").read_text() == text
    assert "  isexec: true\n" in (ours / "run.sh.dvc").read_text()

    # each reads the other's as clean, and recording again changes nothing
    before = trees.texts(ours)
    assert dvc_status(dvc, ours) == {}
    assert_clean(theirs)
    dvc("add", "--", *targets, cwd=ours)
    assert trees.texts(ours) == before
    assert open_workspace(theirs).add(targets).paths == ()
    assert trees.texts(theirs) == before

    # and brings the other's data back
    kept = {
        path: text
        for path, text in content.items()
        if not path.endswith(("b.tmp", "/x", "/y")) or "random" in path
    }
    for project, checkout in ((ours, _dvc_checkout(dvc)), (theirs, _our_checkout)):
        trees.remove_data(project, targets)
        checkout(project)
        back = trees.data(project, targets)
        assert {path: text for path, text in back.items() if path in kept} == {
            path: text for path, text in kept.items() if path in back
        }
        lost = set(content) - set(back)
        assert lost == {"ignoring/b.tmp", "ignoring/scratch/x", "ignoring/in/scratch/y"}
        assert (project / "run.sh").stat().st_mode & 0o777 == 0o744
        assert (project / "tools/go.sh").stat().st_mode & 0o777 == 0o644
    assert dvc_status(dvc, theirs) == {}
    assert_clean(ours)


def _dvc_checkout(dvc: Dvc):  # type: ignore[no-untyped-def]
    return lambda project: dvc("checkout", cwd=project)


def _our_checkout(project: Path) -> None:
    workspace = open_workspace(project)
    workspace.run_checkout(workspace.plan_checkout(workspace.outputs().outputs))


def test_10_2_06_changes_are_recorded_alike(tmp_path: Path, dvc: Dvc) -> None:
    """Changed, grown, shrunk and partly recorded folders; files that were edited by hand keep their text."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    builders.make_project(ours)
    builders.write_tree(
        ours,
        {
            "grow/a": "a",
            "edit/a": "a",
            "edit/b": "b",
            "part/a": "a",
            "cut/a": "a",
            "cut/b/c": "c",
            "m.bin": "1",
        },
    )
    builders.write_tree(ours, {"hand/a": "a\n"})
    open_workspace(ours).add(["grow", "edit", "part", "cut", "m.bin", "hand"])
    text = (ours / "hand.dvc").read_text()
    md5 = text.split("md5: ")[1].split("\n")[0]
    (ours / "hand.dvc").write_text(
        f"# top comment\nouts:\n- path: hand   # trailing\n  desc: hello\n  labels: [a, b]\n  md5: {md5}\n"
        "  hash: md5\n  push: false\nmeta:\n  owner: me\ndesc: stage desc\n"
    )
    shutil.copytree(ours, theirs, symlinks=True)
    for project in (ours, theirs):
        builders.write_tree(
            project,
            {
                "grow/new/b": "bb",
                "edit/a": "changed",
                "part/x": "xx",
                "part/y": "not yet",
                "m.bin": "22",
                "hand/b": "b",
            },
        )
        shutil.rmtree(project / "cut/b")

    open_workspace(ours).add(["grow", "edit", "part/x", "cut/b/c", "m.bin", "hand"])
    dvc("add", "grow", "edit", "part/x", "m.bin", "hand", cwd=theirs)
    dvc("add", "cut/b/c", cwd=theirs)

    mine, others = trees.texts(ours), trees.texts(theirs)
    assert "  size: 1\n" in mine.pop("cut.dvc").decode()  # dvc forgets the size of a folder that shrank
    others.pop("cut.dvc")
    assert mine == others
    status = dvc_status(dvc, ours)
    assert status == {"part.dvc": [{"changed outs": {"part": "modified"}}]}
    found = {
        one.output.path: one
        for one in open_workspace(theirs).status().outputs
        if one.state is not State.CLEAN
    }
    assert {path: one.added for path, one in found.items()} == {"part": ("y",)}


def test_10_1_a_metafile_in_a_folder_of_its_own(project: Path, dvc: Dvc) -> None:
    builders.write_tree(project, {"models/big.bin": "weights", "sets/one/a": "1"})
    workspace = open_workspace(project)
    workspace.add(["models/big.bin"], file="meta/deep/big.dvc")
    workspace.add(["sets/one"], file="set-one.dvc")
    before = trees.texts(project)
    assert set(before) == {"meta/deep/big.dvc", "set-one.dvc", "models/.gitignore", "sets/.gitignore"}

    assert dvc_status(dvc, project) == {}
    dvc("add", "models/big.bin", "sets/one", cwd=project)
    assert trees.texts(project) == before
    trees.remove_data(project, ["models/big.bin", "sets/one"])
    dvc("checkout", "meta/deep/big.dvc", "set-one.dvc", cwd=project)
    assert (project / "models/big.bin").read_text() == "weights"

    builders.write_tree(project, {"models/big.bin": "better weights"})
    assert workspace.add(["models/big.bin"]).paths == ("meta/deep/big.dvc",)
    assert dvc_status(dvc, project) == {}


def _everything_dvc_leaves_out(project: Path) -> None:
    """A folder of seven files; what else is in it is no data to DVC."""
    builders.write_tree(
        project,
        {
            "data/1.txt": "one\n",
            "data/.hidden/h": "h\n",
            "data/naïve.txt": "naïve\n",
            "data/sub/deeper/2.txt": "two\n",
            "data/sub/.gitignore": "*.txt\n",
            "data/hollow/deep/": "",
            "data/.git/config": "not data",
            "data/sub/dvc.yml": "no metafile",
        },
    )
    (project / "data/link").symlink_to("1.txt")
    (project / "data/folder-link").symlink_to("sub")


def test_10_2_01_what_a_folder_consists_of(tmp_path: Path, dvc: Dvc) -> None:
    """Links to files by their content; no empty folders, no links to folders, nothing of Git's own: and we say so."""
    ours, theirs = builders.make_project(tmp_path / "ours"), builders.make_project(tmp_path / "theirs")
    for project in (ours, theirs):
        _everything_dvc_leaves_out(project)
    notes = open_workspace(ours).add(["data"]).notes
    dvc("add", "data", cwd=theirs)
    assert trees.texts(ours) == trees.texts(theirs)
    assert trees.objects(ours) == trees.objects(theirs)
    assert "  nfiles: 7\n" in (ours / "data.dvc").read_text()
    assert [note.partition(" (")[0] for note in notes] == [
        "data: .git",
        "data: link",
        "data: folder-link",
        "data: hollow and 1 more",
    ]
    assert (ours / "data/link").is_symlink()
    assert dvc_status(dvc, ours) == {}
    assert_clean(ours)
    assert_clean(theirs)


def test_10_1_metafiles_within_data_are_data(project: Path, dvc: Dvc) -> None:
    """Those of somebody else's project, say: DVC itself adds them only where it does not take them for its own."""
    builders.write_tree(project, {"d/a": "a", "d/sub/x.dvc": "outs: []\n", "d/dvc.yaml": "stages: {}\n"})
    open_workspace(project).add(["d"])
    assert "  nfiles: 3\n" in (project / "d.dvc").read_text()
    assert dvc_status(dvc, project) == {}
    before = trees.texts(project)
    dvc("add", "d", cwd=project)
    assert trees.texts(project) == before


def test_10_2_07_the_executable_bit(tmp_path: Path, dvc: Dvc) -> None:
    """Kept for a file and lost within a folder, by both; taking it away is no change to either."""
    ours, theirs = builders.make_project(tmp_path / "ours"), builders.make_project(tmp_path / "theirs")
    for project in (ours, theirs):
        builders.write_tree(project, {"run.sh": "#!/bin/sh\n", "d/go.sh": "#!/bin/sh\n", "plain": "x"})
        for name in ("run.sh", "d/go.sh"):
            (project / name).chmod(0o755)
    open_workspace(ours).add(["run.sh", "d", "plain"])
    dvc("add", "run.sh", "d", "plain", cwd=theirs)
    for project in (ours, theirs):
        (project / "run.sh").chmod(0o644)
    assert dvc_status(dvc, ours) == {}
    assert_clean(theirs)
    for project in (ours, theirs):
        trees.remove_data(project, ["run.sh", "d", "plain"])
    _our_checkout(ours)
    dvc("checkout", cwd=theirs)
    modes = [
        {name: oct((project / name).stat().st_mode & 0o777) for name in ("run.sh", "d/go.sh", "plain")}
        for project in (ours, theirs)
    ]
    assert modes[0] == modes[1] == {"run.sh": "0o744", "d/go.sh": "0o644", "plain": "0o644"}

    (ours / "plain").chmod(0o755)  # recorded now, both ways
    shutil.copytree(ours, tmp_path / "again", symlinks=True)
    open_workspace(ours).add(["plain", "run.sh"])
    dvc("add", "plain", "run.sh", cwd=tmp_path / "again")
    assert trees.texts(ours) == trees.texts(tmp_path / "again")


def test_10_2_19_gitignore_lines(tmp_path: Path, dvc: Dvc) -> None:
    """No final newline, covered already, characters with a meaning, nested, CRLF, negated before."""
    ours, theirs = builders.make_project(tmp_path / "ours"), builders.make_project(tmp_path / "theirs")
    targets = [
        "last", "model.bin", "we[ird]*.txt", "sub/deep/data", "back/was", "crlf/more", "!bang", "#hash", "q?.csv",
    ]  # fmt: skip
    for project in (ours, theirs):
        builders.write_tree(
            project,
            {
                ".gitignore": "*.bin\n/unfinished",
                "back/.gitignore": "/was\n!/was\n",
                "crlf/.gitignore": "/one\r\n/two\r\n",
                **dict.fromkeys(targets, "x"),
            },
        )
    open_workspace(ours).add(targets)
    dvc("add", "--", *targets, cwd=theirs)
    assert trees.texts(ours) == trees.texts(theirs)
    assert not builders.git(ours, "ls-files", "--others", "--exclude-standard", *targets)
    assert (ours / ".gitignore").read_text().startswith("*.bin\n/unfinished\n/last\n/we\\[ird\\]\\*.txt\n")


def test_10_2_31_a_project_inside_the_data_is_refused(project: Path, dvc: Dvc, tmp_path: Path) -> None:
    """DVC leaves it out without a word; who names it in a .dvcignore gets the same folder from both."""
    builders.write_tree(project, {"d/a": "a", "d/sub/.dvc/config": "", "d/sub/b": "b"})
    before = trees.untouched(project)
    with pytest.raises(Refused, match="d/sub"):
        open_workspace(project).add(["d"])
    assert trees.untouched(project) == before
    shutil.copytree(project, tmp_path / "theirs", symlinks=True)
    dvc("add", "d", cwd=tmp_path / "theirs")
    (project / ".dvcignore").write_text("/d/sub\n")
    open_workspace(project).add(["d"])
    assert trees.texts(project) == trees.texts(tmp_path / "theirs")
    assert dvc_status(dvc, project) == {}


@pytest.mark.parametrize("kind", ["name", "fifo", "broken link", "ignore file"])
def test_10_2_39_what_cannot_be_recorded_is_refused_before_anything_is_touched(
    project: Path, kind: str, dvc: Dvc
) -> None:
    """Nor does DVC record it: it ends with an error, or waits for ever (a pipe: not tried)."""
    builders.write_tree(project, {"d/a": "a"})
    if kind == "name":
        with open(os.fsencode(project) + b"/d/caf\xe9", "wb") as file:
            file.write(b"x")
    elif kind == "fifo":
        os.mkfifo(project / "d/pipe")
    elif kind == "broken link":
        (project / "d/link").symlink_to("nowhere")
    else:
        (project / "d/.dvcignore").write_text("*.tmp\n")
    before = trees.untouched(project)
    with pytest.raises(Refused) as error:
        open_workspace(project).add(["d"])
    assert "⟨U+DCE9⟩" in error.value.title if kind == "name" else "d/" in error.value.title
    assert trees.untouched(project) == before
    if kind != "fifo":
        assert dvc("add", "d", cwd=project, check=False).returncode
        assert not (project / "d.dvc").exists()


def test_10_2_40_private_modes_survive(project: Path, dvc: Dvc) -> None:
    """DVC gives the file 0644; that is no reason to do so."""
    builders.write_tree(project, {"secret.bin": "s", "d/inner": "i"})
    for name in ("secret.bin", "d/inner"):
        (project / name).chmod(0o600)
    open_workspace(project).add(["secret.bin", "d"])
    assert {(project / name).stat().st_mode & 0o777 for name in ("secret.bin", "d/inner")} == {0o600}
    assert dvc_status(dvc, project) == {}


def test_10_2_35_a_file_of_the_same_size_is_noticed_at_once(project: Path, dvc: Dvc) -> None:
    """In both directions: neither program's memory may be led astray by what the other puts in place."""
    builders.track_file(project, "f", "one")
    builders.track_folder(project, "d", {"x": "aaa", "y": "bbb"})
    assert dvc_status(dvc, project) == {}
    assert_clean(project)
    new = {"f": builders.put_object(project / ".dvc/cache", b"two")}
    text = (project / "f.dvc").read_text()
    (project / "f.dvc").write_text(text.replace(builders.md5("one"), new["f"]))
    _our_checkout(project)  # f is another file of the same size now
    assert (project / "f").read_text() == "two"
    (project / "f.dvc").write_text(text)
    assert dvc_status(dvc, project) == {"f.dvc": [{"changed outs": {"f": "modified"}}]}
    dvc("checkout", "f.dvc", cwd=project)
    (project / "f.dvc").write_text(text.replace(builders.md5("one"), new["f"]))
    assert our_states(project)["f"].name == "MODIFIED"
    (project / "d/x").write_text("zzz")
    assert our_states(project)["d"].name == "MODIFIED"
