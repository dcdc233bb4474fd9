"""Projects as teams really keep them: in sub-folders, several in one repository, without Git, with DVC's hooks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import builders
from conftest import Dvc
from interop import trees
from interop.judging import assert_clean, dvc_status, our_states
from interop.projects import opened
from modelkeep.core.errors import InvalidFile, NotAProject
from modelkeep.core.project import Project
from modelkeep.core.values import State
from modelkeep.core.workflows import data, publish, restore, review


@pytest.fixture
def several(tmp_path: Path, dvc: Dvc) -> Path:
    """One Git repository with a project of DVC in `one` and another in `deep/two`, both made by dvc."""
    repo = builders.make_repo(tmp_path / "repo")
    for name in ("one", "deep/two"):
        folder = builders.write_tree(repo / name, {"d/a": f"a of {name}", "f": f"f of {name}"})
        dvc("init", "--subdir", "--quiet", cwd=folder)
        builders.set_default_remote(folder, "../../remote-" + folder.name)
        dvc("add", "d", "f", cwd=folder)
    builders.make_commit(repo, {"code.py": "x"}, "Two projects")
    return repo


def test_10_1_several_projects_in_one_repository(several: Path, dvc: Dvc) -> None:
    """Each by itself: neither sees, records or sends the other's data; versions are the repository's."""
    with pytest.raises(NotAProject):
        Project.open(several)
    for name in ("one", "deep/two"):
        folder = several / name
        assert our_states(folder) == {"d": State.CLEAN, "f": State.CLEAN}
        with opened(folder) as ours:
            (folder / "f").write_text("changed")
            assert data.add(ours, ["f"]).paths == ("f.dvc",)
            data.push(ours)
            head = ours.git().resolve("HEAD")
            assert {out.path for out in ours.catalogue.snapshot(head).outputs} == {"d", "f"}
            data.push(ours, versions=ours.git().all_commits(), each_config=True)
        assert dvc_status(dvc, folder) == {}
        assert "Everything is up to date" in dvc("push", cwd=folder).stdout
        remote = folder.parent / f"remote-{folder.name}"
        assert {f"a of {name}", f"f of {name}", "changed"} <= {
            path.read_text() for path in remote.rglob("*") if path.is_file()
        }


def test_10_1_a_version_of_a_project_in_a_sub_folder_is_restored_alone(several: Path, dvc: Dvc) -> None:
    one = several / "one"
    (one / "d/a").write_text("newer")
    with opened(one) as ours:
        data.add(ours, ["d"])
        first = ours.git().resolve("HEAD")
        plan = restore.plan_restore(ours, first, outputs=["d"], how=restore.How.WORKSPACE)
        restore.restore(ours, plan)
    assert (one / "d/a").read_text() == "a of one"
    assert dvc_status(dvc, one) == {} and dvc_status(dvc, several / "deep/two") == {}


def test_10_1_a_project_around_another_does_not_look_into_it(tmp_path: Path, dvc: Dvc) -> None:
    outer = builders.make_project(tmp_path / "outer")
    inner = builders.write_tree(outer / "inner", {"x": "x"})
    dvc("init", "--subdir", "--quiet", cwd=inner)
    dvc("add", "x", cwd=inner)
    builders.write_tree(outer, {"y": "y"})
    with opened(outer) as ours:
        data.add(ours, ["y"])
    assert our_states(outer) == {"y": State.CLEAN}
    assert our_states(inner) == {"x": State.CLEAN}
    assert dvc_status(dvc, outer) == {} and dvc_status(dvc, inner) == {}


def test_10_1_a_project_without_git(tmp_path: Path, dvc: Dvc, remote: Path) -> None:
    """`core.no_scm`, as `dvc init --no-scm` sets it: data moves both ways, and no .gitignore appears."""
    folder = builders.write_tree(tmp_path / "plain", {"d/a": "a", "f": "f"})
    dvc("init", "--no-scm", "--quiet", cwd=folder)
    with (folder / ".dvc/config").open("a") as file:
        file.write(f"    remote = store\n['remote \"store\"']\n    url = {remote}\n")
    with opened(folder) as ours:
        data.add(ours, ["d"])
        data.push(ours)
    dvc("add", "f", cwd=folder)
    assert not list(folder.rglob(".gitignore")) and dvc_status(dvc, folder) == {}
    dvc("push", cwd=folder)
    shutil.rmtree(folder / ".dvc/cache")
    trees.remove_data(folder, ["d", "f"])
    with opened(folder) as ours:
        data.pull(ours)
    assert_clean(folder)


def test_10_1_dvcignore_counts_for_both_alike(tmp_path: Path, dvc: Dvc) -> None:
    """At several levels, with negation, stripped lines and anchors; what is ignored stays where it is."""
    files = {
        ".dvcignore": "  *.log  \n# comment\n!keep.log\n/top.txt\nbuild/\n",
        "sub/.dvcignore": "*.csv\n!/sub/\n",
        "d/a": "a",
        "d/x.log": "no",
        "d/keep.log": "yes",
        "d/build/o": "no",
        "d/top.txt": "yes",
        "sub/data/t.csv": "no",
        "sub/data/t.txt": "yes",
        "ignored.dvc/": "",
        "build/hidden.dvc": "outs:\n- nonsense\n",
    }
    texts = []
    for name in ("ours", "theirs"):
        project = builders.write_tree(builders.make_project(tmp_path / name), files)
        if name == "ours":
            with opened(project) as ours:
                data.add(ours, ["d", "sub/data"])
        else:
            dvc("add", "d", "sub/data", cwd=project)
        texts.append(trees.texts(project))
    assert texts[0] == texts[1]
    ours_, theirs = tmp_path / "ours", tmp_path / "theirs"
    assert dvc_status(dvc, ours_) == {}
    assert_clean(theirs)
    with (ours_ / ".dvcignore").open("a") as file:
        file.write("a\n")  # a rule for what is recorded already
    assert dvc_status(dvc, ours_) == {"d.dvc": [{"changed outs": {"d": "modified"}}]}
    assert our_states(ours_)["d"] is State.MODIFIED
    with opened(ours_) as ours:
        data.checkout(ours)
    assert (ours_ / "d/a").read_text() == "a" and (ours_ / "d/x.log").read_text() == "no"


@pytest.mark.parametrize("trusted", [False, True])
def test_10_1_dvcs_hooks_and_ours_get_along(
    trusted: bool,
    tmp_path: Path,
    dvc: Dvc,
    dvc_program: Path,
    git_remote: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`dvc install` lets git start dvc at every commit, checkout and push: which waits for nobody of ours."""
    monkeypatch.setenv("PATH", f"{dvc_program.parent}{os.pathsep}{os.environ['PATH']}")
    project = builders.make_project(tmp_path / "project")
    builders.set_default_remote(project, str(tmp_path / "store"))
    builders.write_tree(project, {"d/a": "one", "f": "1"})
    builders.git(project, "remote", "add", "origin", str(git_remote))
    dvc("install", cwd=project)
    with opened(project, trusted=trusted) as ours:
        data.add(ours, ["d", "f"])
        publish.publish(ours, publish.plan_publish(ours, "v1", "First"))
        (project / "d/a").write_text("two")
        publish.publish(ours, publish.plan_publish(ours, "v2", "Second"))
        plan = restore.plan_restore(
            ours, review.find_version(ours, "v1"), how=restore.How.BRANCH, branch="back"
        )
        restore.restore(ours, plan)
        assert (project / "d/a").read_text() == "one"
        assert ours.git().head()[0] == "back"
    assert dvc_status(dvc, project) == {}
    builders.git(project, "switch", "--quiet", "main")  # dvc's own hook brings its data
    assert (project / "d/a").read_text() == "two"
    assert_clean(project)


# -- the configuration ---------------------------------------------------------------------------------


def test_10_2_34_the_config_is_read_as_dvc_reads_it(
    project: Path, home: Path, dvc: Dvc, tmp_path: Path
) -> None:
    """Lower case names, quotes, commas, # and ~, and one level over the other."""
    (project / ".dvc/config").write_text(
        "[core]\n    remote = MyRem\n"
        "['remote \"MyRem\"']\n    url = 'p#a\"s s,1'\n"
        '[remote "plain"]\n    url = ../../plain\n'
        "['remote \"tilde\"']\n    url = ~/in home\n"
        "['remote \"local\"']\n    url = /nowhere\n"
    )
    (project / ".dvc/config.local").write_text(f"['remote \"local\"']\n    url = {tmp_path / 'moved'}\n")
    shown = dvc("config", "--list", cwd=project).stdout.splitlines()
    listed = {line.split(".")[1] for line in shown if line.startswith("remote.")}
    with opened(project) as ours:
        found = {one.name: one for one in ours.remotes()}
        specs = {name: ours.remote_spec(name).path for name in found}
    assert set(found) == listed == {"myrem", "plain", "tilde", "local"}
    assert found["myrem"].is_default
    assert specs == {
        "myrem": str(project / '.dvc/p#a"s s,1'),
        "plain": str(tmp_path / "plain"),
        "tilde": str(home / "in home"),
        "local": str(tmp_path / "moved"),
    }
    builders.track_file(project, "f", "content")
    dvc("push", cwd=project)
    with opened(project) as ours:
        assert data.push(ours).files == 0  # both mean the same folder
        data.push(ours, remote="Tilde")
    dvc("push", "-r", "tilde", cwd=project)
    assert len([path for path in (home / "in home").rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[core]\n    modelkeep = 1\n",
        "[modelkeep]\n    x = 1\n",
        "['remote \"a\"']\n    url = /x\n    region = eu\n",
        "[core]\n    autostage = yes\n",
        "['remote \"a\"']\n    url = /x/%(nothing)s\n",
    ],
)
def test_10_2_34_what_dvc_refuses_in_a_config_is_refused(text: str, project: Path, dvc: Dvc) -> None:
    (project / ".dvc/config").write_text(text)
    assert dvc("status", cwd=project, check=False).returncode
    with pytest.raises(InvalidFile, match="config"):
        Project.open(project)


@pytest.mark.parametrize("url", ["me@host:/srv/data", "file:///tmp/z"])
def test_10_1_addresses_that_dvc_takes_for_folder_names_are_refused(
    url: str, project: Path, tmp_path: Path
) -> None:
    (project / ".dvc/config").write_text(f"[core]\n    remote = a\n['remote \"a\"']\n    url = {url}\n")
    builders.track_file(project, "f", "content")
    with opened(project) as ours, pytest.raises(Exception, match=r"ssh://|plain path"):
        data.push(ours)
    assert sorted(path.name for path in project.iterdir()) == [
        ".dvc",
        ".dvcignore",
        ".git",
        ".gitignore",
        "f",
        "f.dvc",
    ]
    assert sorted(path.name for path in (project / ".dvc").iterdir()) == [".gitignore", "cache", "config"]
