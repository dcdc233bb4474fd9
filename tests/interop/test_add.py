"""What we record and what the real dvc records is the same to the last byte, and each finds the other's clean."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import builders
from conftest import Dvc
from interop import trees
from modelkeep.core.values import State
from workspaces import open_workspace


def dvc_status(dvc: Dvc, project: Path) -> dict[str, object]:
    return json.loads(dvc("status", "--json", cwd=project).stdout)


def assert_clean(project: Path) -> None:
    status = open_workspace(project).status()
    assert not status.problems
    odd = {one.output.path: one for one in status.outputs if one.state is not State.CLEAN or one.missing}
    assert not odd


def test_the_same_trees_give_the_same_bytes(tmp_path: Path, dvc: Dvc) -> None:
    ours, theirs = builders.make_project(tmp_path / "ours"), builders.make_project(tmp_path / "theirs")
    targets = trees.write_outputs(ours)
    trees.write_outputs(theirs)
    content = trees.data(ours, targets)

    open_workspace(ours).add(targets)
    dvc("add", "--", *targets, cwd=theirs)

    assert trees.texts(ours) == trees.texts(theirs)
    assert trees.objects(ours) == trees.objects(theirs)

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


def test_changes_are_recorded_alike(tmp_path: Path, dvc: Dvc) -> None:
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


def test_a_metafile_in_a_folder_of_its_own(project: Path, dvc: Dvc) -> None:
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


def test_links_to_files_count_by_content(tmp_path: Path, dvc: Dvc) -> None:
    ours, theirs = builders.make_project(tmp_path / "ours"), builders.make_project(tmp_path / "theirs")
    for project in (ours, theirs):
        builders.write_tree(project, {"d/a": "content"})
        (project / "d/link").symlink_to("a")
    open_workspace(ours).add(["d"])
    dvc("add", "d", cwd=theirs)
    assert trees.texts(ours) == trees.texts(theirs)
    assert (ours / "d/link").is_symlink()
    assert dvc_status(dvc, ours) == {}
    assert_clean(ours)


def test_private_modes_survive(project: Path, dvc: Dvc) -> None:
    builders.write_tree(project, {"secret.bin": "s"})
    (project / "secret.bin").chmod(0o600)
    open_workspace(project).add(["secret.bin"])
    assert (project / "secret.bin").stat().st_mode & 0o777 == 0o600
    assert dvc_status(dvc, project) == {}
