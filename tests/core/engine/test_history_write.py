"""Commits, tags, branches, switching and taking back: exact, durable, and never at the cost of user files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import builders
from modelkeep.core.engine.history import History
from modelkeep.core.engine.history_errors import GitCommandFailed
from modelkeep.core.errors import Busy, NotFound, Refused, UnsavedChanges, UsageError

git = builders.git


@pytest.fixture
def repo(git_repo: Path) -> Path:
    builders.make_commit(git_repo, {"a.dvc": "a1\n", "b.dvc": "b1\n", "code.py": "1\n"}, "start")
    return git_repo


def staged(repo: Path) -> str:
    return git(repo, "diff", "--cached", "--name-status")


@pytest.mark.parametrize("trusted", [False, True])
def test_commit_holds_exactly_its_paths(repo: Path, trusted: bool) -> None:
    builders.write_tree(repo, {"a.dvc": "a2\n", "b.dvc": "b2\n", "code.py": "2\n", "new dir/-n.dvc": "n\n"})
    git(repo, "add", "code.py")
    (repo / "code.py").write_text("3\n")
    history = History.open(repo)
    history.trusted = trusted
    before = history.head()[1]

    sha = history.commit(["a.dvc", "new dir/-n.dvc"], "Update data\n\n# not a comment\n")

    assert history.head() == ("main", sha) and history.parent(sha) == before
    assert set(history.differing(before, sha)) == {"a.dvc", "new dir/-n.dvc"}
    assert history.message(sha) == "Update data\n\n# not a comment"
    assert staged(repo) == "M\tcode.py" and git(repo, "show", ":code.py") == "2"
    assert set(history.changes()) == {"b.dvc", "code.py"}
    assert git(repo, "log", "-1", "--format=%an <%ae>") == "Test Person <test@example.org>"
    assert not list((repo / ".git").glob("modelkeep-*"))
    git(repo, "fsck", "--strict")


@pytest.mark.parametrize("trusted", [False, True])
def test_commit_of_a_removed_file_and_of_nothing(repo: Path, trusted: bool) -> None:
    history = History.open(repo)
    history.trusted = trusted
    head = history.head()[1]
    assert history.commit(["a.dvc", "never-was.dvc"], "nothing") == head
    (repo / "a.dvc").unlink()
    sha = history.commit(["a.dvc"], "remove a")
    assert history.differing(head, sha) == ("a.dvc",) and history.changes() == ()


@pytest.mark.parametrize("trusted", [False, True])
def test_first_commit_of_a_repository(git_repo: Path, trusted: bool) -> None:
    builders.write_tree(git_repo, {"a.dvc": "a\n", "b.dvc": "b\n"})
    history = History.open(git_repo)
    history.trusted = trusted
    sha = history.commit(["a.dvc"], "first")
    assert history.head() == ("main", sha) and history.parent(sha) == ""
    assert history.changes() == ("b.dvc",)
    history.reset_commit("main", sha, "")
    assert history.head() == ("main", "") and (git_repo / "a.dvc").exists()


def test_ignored_metafile_is_committed_when_named(repo: Path) -> None:
    builders.write_tree(repo, {".gitignore": "*.dvc\n", "c.dvc": "c\n"})
    history = History.open(repo)
    sha = history.commit(["c.dvc"], "c")
    assert history.blob(sha, "c.dvc") == b"c\n"


def test_hooks_run_only_when_trusted(repo: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    for name in ("pre-commit", "commit-msg", "post-commit"):
        hook = repo / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\necho {name} >> {marker}\n")
        hook.chmod(0o755)
    history = History.open(repo)
    (repo / "a.dvc").write_text("a2\n")
    history.commit(["a.dvc"], "quiet")
    assert not marker.exists()
    assert any("pre-commit" in line for line in history.executables())
    history.trusted = True
    (repo / "a.dvc").write_text("a3\n")
    history.commit(["a.dvc"], "loud")
    assert marker.read_text().split() == ["pre-commit", "commit-msg", "post-commit"]
    (repo / ".git/hooks/pre-commit").write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    (repo / "a.dvc").write_text("a4\n")
    with pytest.raises(GitCommandFailed) as caught:
        history.commit(["a.dvc"], "stopped")
    assert "not today" in caught.value.detail


def test_busy_index_is_said_and_nothing_moves(repo: Path) -> None:
    (repo / ".git/index.lock").touch()
    (repo / "a.dvc").write_text("a2\n")
    history = History.open(repo)
    head = history.head()
    with pytest.raises(Busy) as caught:
        history.commit(["a.dvc"], "x")
    assert "index.lock" in caught.value.hint
    assert history.head() == head


def test_no_commit_during_a_merge(repo: Path) -> None:
    (repo / ".git/MERGE_HEAD").write_text(git(repo, "rev-parse", "HEAD") + "\n")
    history = History.open(repo)
    with pytest.raises(Refused, match="merge is in progress"):
        history.commit(["a.dvc"], "x")
    with pytest.raises(Refused, match="merge is in progress"):
        history.switch(history.head()[1])


def test_without_identity(repo: Path) -> None:
    history = History.open(repo)
    assert history.identity() == ("Test Person", "test@example.org")
    Path(os.environ["GIT_CONFIG_GLOBAL"]).write_text("")
    assert history.identity() is None
    (repo / "a.dvc").write_text("a2\n")
    head = history.head()
    with pytest.raises(GitCommandFailed) as caught:
        history.commit(["a.dvc"], "x")
    assert caught.value.cause == "no identity" and "user.name" in caught.value.hint
    assert history.head() == head
    history.set_identity("Ann Ö", "ann@example.org")
    assert history.identity() == ("Ann Ö", "ann@example.org")


def test_taking_a_commit_back_restores_what_was_before(repo: Path) -> None:
    history = History.open(repo)
    base = history.head()[1]
    builders.write_tree(repo, {"a.dvc": "a2\n", "n.dvc": "n\n", "code.py": "2\n"})
    git(repo, "add", "code.py")
    before = (git(repo, "status", "--porcelain"), builders.read_tree(repo))
    sha = history.commit(["a.dvc", "n.dvc"], "publish")
    history.reset_commit("main", sha, base)
    assert history.head() == ("main", base)
    assert (git(repo, "status", "--porcelain"), builders.read_tree(repo)) == before


def test_a_commit_that_is_not_last_is_not_taken_back(repo: Path) -> None:
    history = History.open(repo)
    base = history.head()[1]
    (repo / "a.dvc").write_text("a2\n")
    sha = history.commit(["a.dvc"], "ours")
    last = builders.make_commit(repo, {"code.py": "2\n"}, "theirs")
    with pytest.raises(Refused, match="moved"):
        history.reset_commit("main", sha, base)
    assert history.head() == ("main", last)


def test_tags(repo: Path) -> None:
    history = History.open(repo)
    head = history.head()[1]
    tag = history.tag("model@v1.0.0", "# One\n\ntwo", head)
    version = history.resolve("model@v1.0.0")
    assert (version.commit, version.annotated, version.message) == (head, True, "# One\n\ntwo")
    with pytest.raises(GitCommandFailed) as caught:
        history.tag("model@v1.0.0", "again", head)
    assert caught.value.cause == "name taken"
    with pytest.raises(GitCommandFailed):
        history.delete_tag("model@v1.0.0", expect=head)
    assert history.tag_exists("model@v1.0.0")
    history.delete_tag("model@v1.0.0", expect=tag)
    history.delete_tag("model@v1.0.0")
    assert not history.tag_exists("model@v1.0.0")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-x",
        "--output=x",
        "a b",
        "a..b",
        "a\u202eb",
        "x\u200by",
        "a\nb",
        "v1.lock",
        "refs/tags/v1",
        "HEAD",
        "abcdef0",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[",
        "a\\b",
        "/a",
        "a/",
        "a//b",
        ".a",
        "a/.b",
        "@",
        "a@{1}",
    ],
)
def test_names_that_are_never_created(repo: Path, name: str) -> None:
    history = History.open(repo)
    head = history.head()[1]
    for create in (lambda: history.tag(name, "m", head), lambda: history.branch_create(name, head)):
        with pytest.raises(UsageError):
            create()
    assert git(repo, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_branches_and_switching(repo: Path) -> None:
    history = History.open(repo)
    first = history.head()[1]
    second = builders.make_commit(repo, {"a.dvc": "a2\n"}, "second")
    history.branch_create("restore/v1", first)
    with pytest.raises(GitCommandFailed) as caught:
        history.branch_create("restore/v1", second)
    assert caught.value.cause == "name taken"
    history.switch("refs/heads/restore/v1")
    assert history.head() == ("restore/v1", first) and (repo / "a.dvc").read_text() == "a1\n"
    history.switch(second)
    assert history.head() == (None, second) and (repo / "a.dvc").read_text() == "a2\n"
    for target in ("refs/heads/nope", "main", "--orphan", "HEAD"):
        with pytest.raises(NotFound):
            history.switch(target)


def test_a_branch_named_like_a_commit_is_the_branch(repo: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    second = builders.make_commit(repo, {"a.dvc": "a2\n"}, "second")
    git(repo, "update-ref", f"refs/heads/{first}", second)
    history = History.open(repo)
    history.switch(f"refs/heads/{first}")
    assert history.head() == (first, second)


def test_switching_never_overwrites_what_is_not_in_git(repo: Path) -> None:
    history = History.open(repo)
    first = history.head()[1]
    second = builders.make_commit(repo, {"a.dvc": "a2\n", "big.bin": "in git", "n.txt": "in git"}, "second")
    history.switch(first)
    builders.write_tree(
        repo, {".gitignore": "/big.bin\n", "big.bin": "mine", "n.txt": "mine", "a.dvc": "mine"}
    )
    before = builders.read_tree(repo)
    found: set[str] = set()
    for _ in range(3):
        with pytest.raises(UnsavedChanges) as caught:
            history.switch(second)
        found |= set(caught.value.paths)
        assert builders.read_tree(repo) == before and history.head() == (None, first)
        if "a.dvc" in found:
            git(repo, "checkout", "a.dvc")
        before = builders.read_tree(repo)
    assert found == {"a.dvc", "big.bin", "n.txt"}


def test_switching_keeps_changes_that_are_not_in_the_way(repo: Path) -> None:
    history = History.open(repo)
    first = history.head()[1]
    builders.make_commit(repo, {"a.dvc": "a2\n"}, "second")
    (repo / "code.py").write_text("mine\n")
    history.switch(first)
    assert (repo / "code.py").read_text() == "mine\n"


def test_init_stage_and_commit_staged(tmp_path: Path) -> None:
    folder = tmp_path / "new $HOME ~"
    History.init(folder)
    History.init(tmp_path / "bare.git", bare=True)
    history = History.open(folder)
    builders.write_tree(folder, {"a": "1", "b": "2"})
    history.stage(["a"])
    history.add_git_remote("origin", str(tmp_path / "bare.git"))
    assert history.remotes() == {"origin": str(tmp_path / "bare.git")}
    sha = history.commit_staged("Start")
    assert history.differing("", sha) == ("a",) and history.changes() == ("b",)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_what_a_commit_wrote_is_synced(repo: Path, tmp_path: Path) -> None:
    (repo / "a.dvc").write_text("a2\n")
    code = (
        "import sys\nfrom pathlib import Path\nfrom modelkeep.core.engine.history import History\n"
        f"History.open(Path({str(repo)!r})).commit(['a.dvc'], 'x')\n"
    )
    log = tmp_path / "log"
    command = ["strace", "-f", "-y", "-o", str(log), "-e", "trace=fsync,fdatasync,syncfs,renameat2,rename"]
    done = subprocess.run([*command, sys.executable, "-c", code], check=False, capture_output=True)
    if b"ptrace" in done.stderr:
        pytest.skip("strace is not allowed here")
    assert done.returncode == 0, done.stderr
    synced = [line.split("<", 1)[1].split(">")[0] for line in log.read_text().splitlines() if "sync(" in line]
    for place in (".git", ".git/refs/heads", ".git/logs/HEAD", ".git/refs/heads/main", ".git/index"):
        assert str(repo / place) in synced, place
