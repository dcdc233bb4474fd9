"""A repository's own settings start nothing until it is trusted: one marker program per setting."""

from __future__ import annotations

from pathlib import Path

import pytest

import builders
from modelkeep.core.engine.history import History
from modelkeep.core.errors import ModelkeepError, Refused

git = builders.git

#: Settings that can start a program, with the .gitattributes that would make Git use them.
STOPPABLE = {
    "core.fsmonitor": "{evil}",
    "core.hooksPath": "{hooks}",
    "core.sshCommand": "{evil}",
    "core.askPass": "{evil}",
    "core.pager": "{evil}",
    "core.editor": "{evil}",
    "core.alternateRefsCommand": "{evil}",
    "sequence.editor": "{evil}",
    "diff.external": "{evil}",
    "diff.evil.command": "{evil}",
    "diff.evil.textconv": "{evil}",
    "gpg.program": "{evil}",
    "credential.helper": "{evil}",
    "remote.origin.uploadpack": "{evil}",
    "remote.origin.receivepack": "{evil}",
    "remote.origin.vcs": "ext",
    "protocol.ext.allow": "always",
    "uploadpack.packObjectsHook": "{evil}",
    "interactive.diffFilter": "{evil}",
    "extensions.partialClone": "origin",
}
UNSTOPPABLE = {
    "filter.evil.clean": "{evil}",
    "filter.evil.smudge": "{evil}",
    "filter.evil.process": "{evil}",
    "merge.evil.driver": "{evil}",
    "merge.dvc.driver": "{evil}",  # the name that `dvc install` uses, with another program
    "core.gitProxy": "{evil}",
    "lfs.customtransfer.evil.path": "{evil}",
}


class Trap:
    """A repository with data, a remote, and one setting that would run a program which leaves a marker."""

    def __init__(self, folder: Path, repo: Path, remote: Path) -> None:
        self.repo = repo
        self.marker = folder / "marker"
        self.evil = folder / "evil"
        self.evil.write_text(f"#!/bin/sh\ntouch {self.marker}\n")
        self.evil.chmod(0o755)
        self.hooks = folder / "hooks"
        for name in ("pre-commit", "post-index-change", "post-checkout", "pre-push", "reference-transaction"):
            builders.write_tree(self.hooks, {name: self.evil.read_text()})
            (self.hooks / name).chmod(0o755)
        builders.write_tree(repo, {".gitattributes": "*.dvc filter=evil diff=evil merge=evil\n"})
        self.first = builders.make_commit(repo, {"a.dvc": "1\n"}, "first")
        git(repo, "remote", "add", "origin", str(remote))
        git(repo, "push", "-q", "origin", "main")
        self.second = builders.make_commit(repo, {"a.dvc": "2\n"}, "second")
        git(repo, "branch", "side", self.first)

    def set(self, key: str, value: str, file: str = ".git/config") -> None:
        text = value.format(evil=self.evil, hooks=self.hooks)
        git(self.repo, "config", "--file", str(self.repo / file), key, text)
        git(self.repo, "config", "commit.gpgSign", "true")
        git(self.repo, "config", "tag.gpgSign", "true")
        git(self.repo, "config", "log.showSignature", "true")

    def look(self) -> History:
        """All that happens while somebody merely looks at the project."""
        history = History.open(self.repo)
        history.versions()
        history.head()
        history.upstream()
        history.resolve("main")
        history.blob(self.first, "a.dvc")
        history.differing(self.first, self.second)
        history.is_ignored(["a.dvc"])
        history.is_tracked("a.dvc")
        list(history.old_configs())
        history.identity()
        assert history.executables()
        return history


@pytest.fixture
def trap(tmp_path: Path, git_repo: Path, git_remote: Path) -> Trap:
    return Trap(tmp_path, git_repo, git_remote)


def attempt(*works: object) -> list[ModelkeepError]:
    """Call all of them; an error of ours is fine, what counts is what was started."""
    errors = []
    for work in works:
        try:
            work()  # type: ignore[operator]
        except ModelkeepError as error:
            errors.append(error)
    return errors


#: Settings that would hide one another stand in different groups.
GROUPS = [list(STOPPABLE)[start::4] for start in range(4)]


@pytest.mark.parametrize("keys", GROUPS, ids=lambda keys: "+".join(keys))
def test_stoppable_settings_start_nothing_and_hinder_nothing(trap: Trap, keys: list[str]) -> None:
    for key in keys:
        trap.set(key, STOPPABLE[key])
    history = trap.look()
    for key in keys:
        assert any(line.lower().startswith(f".git/config: {key.lower()} =") for line in history.executables())
    assert not history.read_only
    (trap.repo / "a.dvc").write_text("3\n")
    assert history.changes() == ("a.dvc",)
    sha = history.commit(["a.dvc"], "third")
    history.tag("v1", "one", sha)
    history.branch_create("more", sha)
    history.switch("refs/heads/side")
    history.switch("refs/heads/main")
    errors = attempt(
        lambda: history.fetch("origin"),
        lambda: history.push("origin", ("refs/heads/main:refs/heads/main",)),
        lambda: history.remote_has("origin", "refs/heads/main"),
    )
    assert len(errors) == (3 if "remote.origin.vcs" in keys else 0), errors
    assert not trap.marker.exists()


@pytest.mark.parametrize("key", UNSTOPPABLE)
def test_unstoppable_settings_make_the_project_read_only(trap: Trap, key: str) -> None:
    trap.set(key, UNSTOPPABLE[key])
    history = trap.look()
    assert history.read_only
    (trap.repo / "a.dvc").write_text("3\n")
    for work in (
        history.changes,
        lambda: history.commit(["a.dvc"], "x"),
        lambda: history.switch("refs/heads/side"),
        lambda: history.stage(["a.dvc"]),
    ):
        with pytest.raises(Refused) as caught:
            work()
        assert f"{key.lower()} =" in caught.value.detail.lower() and "trust" in caught.value.hint
    assert not trap.marker.exists()


def test_settings_from_an_included_file_of_the_working_tree_are_found(trap: Trap) -> None:
    trap.set("filter.evil.clean", "{evil}", file="settings.txt")
    git(trap.repo, "config", "include.path", "../settings.txt")
    history = trap.look()
    assert history.read_only
    assert any("include.path" in line for line in history.executables())
    assert any("settings.txt: filter.evil.clean" in line for line in history.executables())
    assert not trap.marker.exists()


def test_settings_of_a_linked_worktree_are_found(trap: Trap) -> None:
    git(trap.repo, "config", "extensions.worktreeConfig", "true")
    trap.set("filter.evil.clean", "{evil}", file=".git/config.worktree")
    assert trap.look().read_only


def test_what_the_user_has_set_for_all_repositories_is_no_news(trap: Trap) -> None:
    for words in ((), ("--global",)):
        git(trap.repo, "config", *words, "filter.lfs.clean", "git-lfs clean -- %f")
    git(trap.repo, "config", "core.pager", "cat")
    git(trap.repo, "config", "core.fsmonitor", "true")
    history = History.open(trap.repo)
    assert history.executables() == (".git/config: core.pager = cat",)
    assert not history.read_only


def test_a_trusted_project_works_with_its_filter(trap: Trap) -> None:
    trap.set("filter.evil.clean", "{evil}")
    history = History.open(trap.repo)
    history.trusted = True
    (trap.repo / "a.dvc").write_text("3\n")
    assert history.changes() == ("a.dvc",) and trap.marker.exists()
    git(trap.repo, "config", "--unset", "commit.gpgSign")
    history.commit(["a.dvc"], "third")


def test_an_object_that_a_partial_clone_lacks_is_not_fetched_by_looking(trap: Trap) -> None:
    git(trap.repo, "config", "remote.origin.promisor", "true")
    trap.set("remote.origin.uploadpack", "{evil}")
    git(trap.repo, "config", "extensions.partialClone", "origin")
    blob = git(trap.repo, "rev-parse", f"{trap.first}:a.dvc")
    (trap.repo / ".git/objects" / blob[:2] / blob[2:]).unlink()
    history = History.open(trap.repo)
    assert history.blob(trap.first, "a.dvc") is None
    assert not trap.marker.exists()


def test_a_clone_runs_nothing_of_what_it_brings(trap: Trap, tmp_path: Path) -> None:
    builders.run("git", "config", "--global", "init.templateDir", str(tmp_path / "none"))
    new = History.clone(str(trap.repo), tmp_path / "new")
    assert new.executables() == () and new.head()[1] == trap.second
    assert not trap.marker.exists()
