"""Reading versions: every kind of ref and name, every shape of repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import builders
from modelkeep.core.engine.history import History
from modelkeep.core.errors import GitFailed, ModelkeepError, NotAProject, NotFound, Refused
from modelkeep.core.values import VersionKind

git = builders.git


def commit(repo: Path, name: str = "data.dvc", text: str = "x\n", message: str = "c", date: str = "") -> str:
    """Commit one file in `repo`, at `date` if given; returns the id."""
    builders.write_tree(repo, {name: text})
    git(repo, "add", "-f", "--", name)
    env = {"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date} if date else {}
    builders.run("git", "commit", "-q", "--allow-empty", "-m", message, cwd=repo, env=env)
    return git(repo, "rev-parse", "HEAD")


def test_versions_lists_every_kind_with_its_facts(git_repo: Path) -> None:
    first = commit(git_repo, date="1700000000 +0900", message="add data")
    builders.run(
        "git",
        *("tag", "-a", "-m", "First\n\nLong text.", "model@v1.0.0"),
        cwd=git_repo,
        env={"GIT_COMMITTER_DATE": "1700000100 -0330"},
    )
    git(git_repo, "tag", "light")
    second = commit(git_repo, text="y\n", date="1700000200 +0000", message="change data")
    commit(git_repo, "README.md", message="no data here")
    git(git_repo, "update-ref", "refs/remotes/origin/main", second)
    git(git_repo, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")

    found = History.open(git_repo).versions()

    tag = next(one for one in found.tags if one.name == "model@v1.0.0")
    assert (tag.kind, tag.ref, tag.commit) == (VersionKind.TAG, "refs/tags/model@v1.0.0", first)
    assert tag.annotated and tag.gto is not None and tag.gto.version == "v1.0.0"
    assert tag.message == "First\n\nLong text." and tag.subject == "First"
    assert tag.when is not None and tag.when.isoformat() == "2023-11-14T18:45:00-03:30"
    assert (tag.author, tag.email) == ("Test Person", "test@example.org")
    light = next(one for one in found.tags if one.name == "light")
    assert not light.annotated and light.gto is None and light.message == "add data"
    assert [one.name for one in found.branches] == ["main"] and found.branches[0].is_head
    assert [one.name for one in found.remote_branches] == ["origin/main"]
    assert [one.message for one in found.commits] == ["change data", "add data"]
    assert found.commits[1].when is not None and found.commits[1].when.isoformat().endswith("+09:00")


def test_tags_of_one_second_come_in_version_order(git_repo: Path) -> None:
    commit(git_repo)
    for name in ("v1.9.0", "v1.10.0", "v1.2.0"):
        builders.run(
            "git", "tag", "-am", "t", name, cwd=git_repo, env={"GIT_COMMITTER_DATE": "1700000000 +0000"}
        )
    assert [one.name for one in History.open(git_repo).versions().tags] == ["v1.10.0", "v1.9.0", "v1.2.0"]


def test_hostile_names_and_messages_survive(git_repo: Path, tmp_path: Path) -> None:
    sha = commit(git_repo, message="-rf \x1f<b>&\n\nsecond\nline")
    names = [
        "--output=x",
        "-x",
        "x<b>y",
        "q;touch${IFS}x",
        "a\u202eb",
        "z\u200bw",
        "CON",
        "에이",
        "'\"",
        "%00",
    ]
    for name in names:
        git(git_repo, "update-ref", f"refs/heads/{name}", sha)
    history = History.open(git_repo)
    found = history.versions()
    assert {one.name for one in found.branches} == {"main", *names}
    assert found.commits[0].message == "-rf \x1f<b>&\n\nsecond\nline"
    for name in names:
        assert history.resolve(name).ref == f"refs/heads/{name}"
    history.switch("refs/heads/--output=x")
    assert history.head() == ("--output=x", sha)
    assert history.upstream() == (None, 0, 0)
    assert not (git_repo / "x").exists()


def test_a_name_that_is_not_utf8_survives(git_repo: Path) -> None:
    sha = commit(git_repo)
    subprocess.run([b"git", b"update-ref", b"refs/heads/caf\xe9", sha.encode()], cwd=git_repo, check=True)
    history = History.open(git_repo)
    name = next(one.name for one in history.versions().branches if one.name != "main")
    assert history.resolve(name).commit == sha


def test_tags_of_tags_are_peeled_and_tags_of_files_left_out(git_repo: Path) -> None:
    sha = commit(git_repo)
    git(git_repo, "tag", "-am", "inner", "inner")
    git(git_repo, "tag", "-am", "outer", "outer", "inner")
    git(git_repo, "tag", "file", f"{sha}:data.dvc")
    tags = {one.name: one.commit for one in History.open(git_repo).versions().tags}
    assert tags == {"inner": sha, "outer": sha}


def test_impossible_dates_are_unknown_or_utc(git_repo: Path) -> None:
    commit(git_repo)
    for name, date in (("far", "99999999999999999 +0000"), ("zone", "1700000000 +9999")):
        target = git(git_repo, "rev-parse", "HEAD")
        text = f"object {target}\ntype commit\ntag {name}\ntagger A <a@b> {date}\n\nm\n"
        done = subprocess.run(
            ["git", "hash-object", "-t", "tag", "-w", "--literally", "--stdin"],
            cwd=git_repo,
            input=text,
            text=True,
            capture_output=True,
            check=True,
        )
        git(git_repo, "update-ref", f"refs/tags/{name}", done.stdout.strip())
    found = {one.name: one.when for one in History.open(git_repo).versions().tags}
    assert set(found) == {"far", "zone"}


def test_empty_repository(git_repo: Path) -> None:
    history = History.open(git_repo)
    assert history.head() == ("main", "")
    assert history.versions().all() == ()
    assert history.changes() == ()
    with pytest.raises(NotFound):
        history.resolve("HEAD")


def test_detached_head(git_repo: Path) -> None:
    sha = commit(git_repo)
    git(git_repo, "checkout", "-q", "--detach")
    history = History.open(git_repo)
    assert history.head() == (None, sha)
    assert history.versions().commits[0].is_head
    assert history.upstream() == (None, 0, 0)


def test_shallow_clone(git_repo: Path, tmp_path: Path) -> None:
    commit(git_repo)
    last = commit(git_repo, text="2\n")
    builders.run("git", "clone", "-q", "--depth=1", f"file://{git_repo}", tmp_path / "shallow")
    found = History.open(tmp_path / "shallow").versions()
    assert [one.commit for one in found.commits] == [last]
    assert found.remote_branches[0].name == "origin/main"


def test_linked_worktree_and_branch_in_use_elsewhere(git_repo: Path, tmp_path: Path) -> None:
    commit(git_repo)
    git(git_repo, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    history = History.open(tmp_path / "side")
    assert history.head()[0] == "side"
    assert history.common_dir == git_repo / ".git" and history.git_dir != history.common_dir
    sha = history.commit(["data.dvc"], "nothing new")
    assert sha == history.head()[1]
    builders.write_tree(tmp_path / "side", {"data.dvc": "new\n"})
    history.commit(["data.dvc"], "new data")
    with pytest.raises(Refused, match="checked out"):
        history.switch("refs/heads/main")


def test_project_below_the_top_of_the_repository(git_repo: Path) -> None:
    folder = git_repo / "team [a]" / "p"
    commit(git_repo, "team [a]/p/data.dvc", "1\n", "inside")
    commit(git_repo, "other.dvc", "1\n", "outside")
    history = History.open(folder)
    assert history.prefix == "team [a]/p/" and history.git_root == git_repo
    assert [one.message for one in history.versions().commits] == ["inside"]
    assert history.blob(history.head()[1], "data.dvc") == b"1\n"
    builders.write_tree(git_repo, {"team [a]/p/data.dvc": "2\n", "top.txt": "t", ".gitignore": "*.tmp\n"})
    assert history.changes() == ("data.dvc", "../../.gitignore", "../../top.txt")
    assert history.is_ignored(["a.tmp", "b"]) == {"a.tmp"}
    assert history.is_tracked("data.dvc") and not history.is_tracked("a.tmp")
    before = history.head()[1]
    after = history.commit(["data.dvc"], "more")
    assert history.differing(before, after) == ("data.dvc",)


def test_resolve_and_questions_about_commits(git_repo: Path) -> None:
    first = commit(git_repo, message="one\n\nbody")
    second = commit(git_repo, text="2\n", message="two")
    git(git_repo, "tag", "-am", "t", "v1", first)
    git(git_repo, "branch", "v1", second)
    history = History.open(git_repo)
    assert history.resolve("v1").commit == first  # a tag comes before a branch
    assert history.resolve("refs/heads/v1").commit == second
    assert history.resolve(first[:8]).commit == first
    assert history.resolve("HEAD").commit == second
    assert history.parent(second) == first and history.parent(first) == ""
    assert history.message(first) == "one\n\nbody"
    assert history.tag_target("v1") == first and history.tag_exists("v1")
    assert history.tag_target("v2") is None
    assert history.differing("", first) == ("data.dvc",)
    for text in ("", "nope", "v*", "--all", "deadbeef", "HEAD~1; x"):
        with pytest.raises(NotFound):
            history.resolve(text)


def test_upstream_counts(git_repo: Path) -> None:
    first = commit(git_repo)
    second = commit(git_repo, text="2\n")
    git(git_repo, "update-ref", "refs/remotes/origin/main", second)
    git(git_repo, "config", "remote.origin.url", "x")
    git(git_repo, "config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
    git(git_repo, "config", "branch.main.remote", "origin")
    git(git_repo, "config", "branch.main.merge", "refs/heads/main")
    git(git_repo, "reset", "-q", "--hard", first)
    commit(git_repo, text="3\n")
    commit(git_repo, text="4\n")
    assert History.open(git_repo).upstream() == ("origin/main", 2, 1)


def test_changes_names_awkward_files_exactly(git_repo: Path) -> None:
    commit(git_repo, "a b.dvc")
    builders.write_tree(git_repo, {"a b.dvc": "new", "dir/ü\n.dvc": "n", "-x": "n"})
    history = History.open(git_repo)
    assert set(history.changes()) == {"a b.dvc", "dir/ü\n.dvc", "-x"}
    assert history.changes(untracked=False) == ("a b.dvc",)


def test_changes_say_whether_a_file_is_new_or_gone(git_repo: Path) -> None:
    for name in ("edited", "gone", "unlisted"):
        commit(git_repo, name)
    builders.write_tree(git_repo, {"edited": "new", "staged": "n", "untracked": "n"})
    (git_repo / "gone").unlink()
    git(git_repo, "add", "staged")
    git(git_repo, "rm", "-q", "unlisted")
    assert History.open(git_repo).marked_changes() == {
        "edited": "changed",
        "gone": "removed",
        "staged": "added",
        "unlisted": "removed",
        "untracked": "added",
    }


def test_folder_outside_git(tmp_path: Path) -> None:
    with pytest.raises(NotAProject):
        History.open(tmp_path)


def test_working_tree_that_the_repository_moves_elsewhere_is_refused(git_repo: Path, tmp_path: Path) -> None:
    git(git_repo, "config", "core.worktree", str(tmp_path))
    with pytest.raises(Refused, match="somewhere else"):
        History.open(git_repo)


def test_broken_repository_raises_our_error(git_repo: Path) -> None:
    (git_repo / ".git/config").write_text("[core\n")
    with pytest.raises(ModelkeepError) as caught:
        History.open(git_repo)
    assert isinstance(caught.value, GitFailed) and caught.value.detail


def test_importing_the_engine_does_not_import_gitpython() -> None:
    code = "import sys, modelkeep.core.engine.catalogue; sys.exit('git' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
