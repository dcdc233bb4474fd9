"""The text of metafiles, whoever wrote it last: kept where people added to it, refused where nobody can read it."""

from __future__ import annotations

from pathlib import Path

import builders
from conftest import Dvc
from interop import trees
from interop.judging import assert_clean, dvc_status
from interop.projects import opened
from modelkeep.core.workflows import data
from workspaces import open_workspace


def test_10_1_hashes_that_look_like_numbers_stay_text(project: Path, dvc: Dvc) -> None:
    """Appendix B: unquoted, the first would end every dvc command of the project, the second be refused."""
    builders.write_tree(project, {"digits": "682577\n", "exponent": "574565\n"})
    open_workspace(project).add(["digits", "exponent"])
    assert "'61230315635059227299115225839792'" in (project / "digits.dvc").read_text()
    assert "'630334416415623642455915400846e6'" in (project / "exponent.dvc").read_text()
    assert dvc_status(dvc, project) == {}


def test_10_1_unknown_keys_and_conflicts_are_refused_by_both(project: Path, dvc: Dvc) -> None:
    """Neither reads on: ours names the file and what is wrong in it, and goes on with the others."""
    builders.track_file(project, "good", "x")
    good = (project / "good.dvc").read_text()
    bad = {
        "unknown key": good + "  modelkeep: private\n",
        "conflict": f"<<<<<<< HEAD\n{good}=======\n{good}>>>>>>> other\n",
        "DVC 1": f"cmd: make\n{good}",
        "not MD5": good.replace("hash: md5", "hash: sha256"),
        "etag": "outs:\n- etag: abcdef\n  path: good\n",
        "twice": good + "  path: good\n",
        "cut off": "",
    }
    for what, text in bad.items():
        (project / "bad.dvc").write_text(text.replace("path: good", "path: bad"))
        status = open_workspace(project).status()
        assert [one.output.path for one in status.outputs] == ["good"], what
        assert status.problems and status.problems[0].file == "bad.dvc", what
        refused = dvc("status", cwd=project, check=False)
        if what not in ("cut off", "not MD5", "etag"):  # which DVC passes over, or takes for a change
            assert refused.returncode, what


def test_10_1_dvc_add_keeps_what_we_recorded_with_its_own_flags(project: Path, dvc: Dvc) -> None:
    """Text that people add to a metafile stays, whoever records next."""
    builders.write_tree(project, {"m.bin": "1"})
    open_workspace(project).add(["m.bin"])
    with (project / "m.bin.dvc").open("a") as file:
        file.write("  desc: the model\n  labels:\n  - a\n  meta:\n    owner: me\n")
    for number, record in enumerate(
        (lambda: dvc("add", "m.bin", cwd=project), lambda: _add(project, "m.bin"))
    ):
        builders.write_tree(project, {"m.bin": "changed" * (number + 1)})
        record()
        assert (
            (project / "m.bin.dvc")
            .read_text()
            .endswith("  desc: the model\n  labels:\n  - a\n  meta:\n    owner: me\n")
        )
    assert dvc_status(dvc, project) == {}


def _add(project: Path, *targets: str) -> None:
    with opened(project) as one:
        data.add(one, targets)


def test_10_1_several_outputs_in_one_metafile(tmp_path: Path, dvc: Dvc) -> None:
    """With a working folder of its own, notes and comments: recording one of them leaves the others as they are."""
    texts = []
    for name in ("ours", "theirs"):
        project = builders.make_project(tmp_path / name)
        builders.track_file(project, "sub/one", "1")
        builders.track_file(project, "sub/two", "2")
        builders.write_tree(
            project,
            {
                "meta/both.dvc": "wdir: ../sub   # where they lie\nouts:\n"
                + "".join(
                    f"- md5: {builders.md5(text)}\n  path: {path}\n  size: 1\n  hash: md5\n"
                    for path, text in (("./one", "1"), ("two", "2"))
                ).replace("size: 1\n", "size: 1\n  cache: true\n  desc: ''\n", 1)
            },
        )
        for path in ("sub/one.dvc", "sub/two.dvc"):
            (project / path).unlink()
        assert dvc_status(dvc, project) == {}
        (project / "sub/two").write_text("changed")
        if name == "ours":
            _add(project, "sub/two")
        else:
            dvc("add", "sub/two", cwd=project)
        texts.append(trees.texts(project))
    assert texts[0] == texts[1]
    assert_clean(tmp_path / "theirs")


def test_10_1_what_dvc_stages_for_git(tmp_path: Path, dvc: Dvc) -> None:
    """`core.autostage`, where the user's own config asks for it."""
    staged = {}
    for name in ("ours", "theirs"):
        project = builders.make_project(tmp_path / name)
        (project / ".dvc/config.local").write_text("[core]\n    autostage = true\n")
        builders.write_tree(project, {"d/a": "a", "sub/m.bin": "1"})
        if name == "ours":
            _add(project, "d", "sub/m.bin")
        else:
            dvc("add", "d", "sub/m.bin", cwd=project)
        staged[name] = builders.git(project, "diff", "--cached", "--name-only").splitlines()
    assert staged["ours"] == staged["theirs"] == [".gitignore", "d.dvc", "sub/.gitignore", "sub/m.bin.dvc"]
