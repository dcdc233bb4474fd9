"""The project's history: the only door to Git. Knows nothing of DVC, metafiles or where data is stored.

Refs are named in full or by id, paths are relative to the project's folder, and nothing in the repository
chooses what is started: see history_process for the switches and history_trust for what no switch turns off.
Every method raises GitFailed (or Busy, Refused, NotFound, UnsavedChanges, ConnectionLost) with git's own
words, credentials removed, as `detail`. Safe from several threads for reading; write from one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from modelkeep.core.engine import history_commit, history_refs, history_remote, history_trust
from modelkeep.core.engine.history_process import GitProgram
from modelkeep.core.engine.history_reading import ReadableHistory, checked_id
from modelkeep.core.errors import NotAProject, NotFound, Refused
from modelkeep.core.paths import visible
from modelkeep.core.progress import SILENT, Progress

if TYPE_CHECKING:
    from modelkeep.core.engine.history_askpass import Ask


class History(ReadableHistory):
    """The Git repository around a project: all that ReadableHistory reads, and what changes it."""

    @classmethod
    def open(cls, folder: Path) -> History:
        """The repository that holds `folder`; raises NotAProject if none does. Starts nothing in it."""
        folder = Path(folder).resolve()
        git_root = next((one for one in (folder, *folder.parents) if (one / ".git").exists()), None)
        if git_root is None:
            raise NotAProject(f"{folder} is not inside a Git repository.", hint="Run: modelkeep init")
        words = ("rev-parse", "--path-format=absolute", "--show-toplevel", "--absolute-git-dir")
        out = GitProgram(git_root).run(*words, "--git-common-dir", what="open the repository")
        places = os.fsdecode(out).removesuffix("\n").split("\n")
        if len(places) != 3 or Path(places[0]).resolve() != git_root:
            raise Refused(
                f"The repository in {git_root} says that its files are somewhere else.",
                detail=visible(places[0]),
                hint="Remove core.worktree from its configuration, or open that folder instead.",
            )
        return cls(folder, git_root, Path(places[1]), Path(places[2]))

    @staticmethod
    def init(folder: Path, *, bare: bool = False) -> None:
        """Make `folder` a Git repository (it may be one already); `bare` ones have no working tree."""
        folder.mkdir(parents=True, exist_ok=True)
        kind = ("--bare",) if bare else ()
        GitProgram(folder).run("init", "--quiet", *kind, what=f"make a repository in {folder}", writes=True)

    @staticmethod
    def clone(url: str, folder: Path, progress: Progress = SILENT, *, ask: Ask | None = None) -> History:
        """Clone `url` into the new folder `folder` and open it. What is in it is not trusted."""
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        program = GitProgram(folder.absolute().parent)
        program.ask = ask
        history_remote.clone(program, url, folder, progress)
        return History.open(folder)

    # -- writing ---------------------------------------------------------------------------------------

    def commit(self, paths: Sequence[str], message: str, progress: Progress = SILENT) -> str:
        """Commit exactly `paths` as they are on disk; returns the commit's id, or HEAD's if nothing differs.

        Whatever else is staged stays staged and is not part of it. Hooks run only in a trusted repository.
        """
        self._guard("commit")
        history_commit.refuse_in_progress(self.git_dir, "commit")
        _, head = self.head()
        places = [self.prefix + path for path in dict.fromkeys(paths)]
        if self.trusted:
            commit = history_commit.commit_with_hooks(self._git, head, places, message, progress)
        else:
            commit = history_commit.commit_quietly(self._git, self.git_dir, head, places, message, progress)
        self._settle()
        return commit

    def stage(self, paths: Sequence[str]) -> None:
        """Put `paths` as they are on disk into the index, for the next commit of the user's own."""
        self._guard("stage files")
        history_commit.stage(self._git, [self.prefix + path for path in paths])

    def commit_staged(self, message: str) -> str:
        """Commit what is staged; returns the commit's id. Starts no hook: it is for projects we have made."""
        history_commit.refuse_in_progress(self.git_dir, "commit")
        commit = history_commit.commit_index(self._git, self.head()[1], message)
        self._settle()
        return commit

    def tag(self, name: str, message: str, commit: str) -> str:
        """Create the annotated tag `name` at `commit`; returns the id of the tag object."""
        history_refs.check_new_name(name)
        tag = history_commit.create_tag(self._git, name, message, checked_id(commit))
        self._settle()
        return tag

    def delete_tag(self, name: str, *, expect: str | None = None) -> None:
        """Delete the tag `name` here; with `expect`, only if its object is that. Not there is fine."""
        if self.tag_exists(name):
            history_commit.delete_ref(self._git, f"refs/tags/{name}", expect)
            self._settle()

    def branch_create(self, name: str, commit: str) -> None:
        """Create the branch `name` at `commit` without switching to it."""
        history_refs.check_new_name(name)
        history_commit.create_branch(self._git, name, checked_id(commit))
        self._settle()

    def reset_commit(self, branch: str, commit: str, base: str) -> None:
        """Take back `commit`, made here on `branch` after `base`; the working tree is not touched.

        Raises Refused if the branch does not end with it.
        """
        ids = (checked_id(commit), checked_id(base) if base else "")
        history_commit.uncommit(self._git, f"refs/heads/{branch}", *ids)
        self._settle()

    def switch(self, target: str, progress: Progress = SILENT) -> None:
        """Check out `target`: a full `refs/heads/…` name, or a commit id to leave branches (detach).

        Files that are not saved in Git, ignored ones too, are never overwritten: raises UnsavedChanges.
        """
        self._guard("switch versions")
        history_commit.refuse_in_progress(self.git_dir, "switch versions")
        commit = self._branch_commit(target) if target.startswith("refs/heads/") else checked_id(target)
        before, _ = self.head()
        words = ("switch", "--quiet", "--detach", "--no-guess", "--no-overwrite-ignore", commit)
        self._git.run(*words, what="switch versions", writes=True, progress=progress)
        if target.startswith("refs/heads/"):
            reason = f"checkout: moving from {before or 'a commit'} to {target.removeprefix('refs/heads/')}"
            self._git.run("symbolic-ref", "-m", reason, "HEAD", target, what="switch versions", writes=True)
        history_commit.settle(self.git_dir, self.common_dir, self.git_root)

    def _branch_commit(self, ref: str) -> str:
        form = "--format=%(refname)%00%(objectname)%00%(worktreepath)"
        out = self._git.run("for-each-ref", form, ref, what="find the branch")
        for line in out.decode("utf-8", "surrogateescape").splitlines():
            name, commit, elsewhere = line.split("\0")
            if name == ref:
                if elsewhere and Path(elsewhere).resolve() != self.git_root:
                    raise Refused(f"The branch {visible(ref[11:])} is checked out in {visible(elsewhere)}.")
                return commit
        raise NotFound(f"There is no branch named {visible(ref.removeprefix('refs/heads/'))}.")

    def _settle(self) -> None:
        history_commit.settle(self.git_dir, self.common_dir)

    # -- remotes ---------------------------------------------------------------------------------------

    def remotes(self) -> dict[str, str]:
        """The Git remotes: name and address, credentials in it hidden."""
        return history_remote.remotes(history_trust.settings(self._git))

    def fetch(self, remote: str, progress: Progress = SILENT) -> None:
        """Fetch branches and tags of `remote`."""
        history_remote.Remotes(self._git).fetch(remote, progress)
        self._settle()

    def push(
        self, remote: str, refspecs: Sequence[str], progress: Progress = SILENT
    ) -> tuple[history_remote.RefUpdate, ...]:
        """Push `refspecs` (`refs/…:refs/…`) to `remote`, all or none of them; never forces.

        Raises GitCommandFailed with `cause` "behind" or "name taken" where the remote refused.
        """
        updates = history_remote.Remotes(self._git).push(remote, refspecs, progress)
        self._settle()
        return updates

    def push_refusal(self, remote: str) -> Refused | None:
        """Why a push to `remote` would be refused by us before it is tried, or None. Contacts nobody."""
        return history_remote.Remotes(self._git).refusal(remote)

    def remote_has(self, remote: str, ref: str, progress: Progress = SILENT) -> str | None:
        """The id that the full name `ref` has on `remote` now, or None. Asks the server."""
        return history_remote.Remotes(self._git).refs(remote, [ref], progress).get(ref)

    def remote_refs(self, remote: str, progress: Progress = SILENT) -> dict[str, str]:
        """All refs that `remote` has now, with their ids; that of an annotated tag ends in ^{} once more, with
        its commit. Asks the server."""
        return history_remote.Remotes(self._git).refs(remote, (), progress)

    # -- its configuration -------------------------------------------------------------------------------

    def set_moment(self, moment: datetime | None) -> None:
        """Let commits and tags made from now on carry `moment` (with its offset); None means the real time."""
        self._git.moment = moment

    def set_identity(self, name: str, email: str) -> None:
        """Let `name` and `email` be who commits in this repository."""
        for key, value in (("user.name", name), ("user.email", email)):
            words = ("config", "--local", "--replace-all", key, value)
            self._git.run(*words, what="write its configuration", writes=True)

    def set_upstream(self, branch: str, remote: str) -> None:
        """Let `branch` follow the branch of the same name on `remote`, as `git push -u` does."""
        history_refs.check_new_name(branch)
        for key, value in (("remote", remote), ("merge", f"refs/heads/{branch}")):
            words = ("config", "--local", "--replace-all", f"branch.{branch}.{key}", value)
            self._git.run(*words, what="write its configuration", writes=True)

    def add_git_remote(self, name: str, url: str) -> None:
        """Add a Git remote; nothing is asked of it."""
        history_refs.check_new_name(name)
        words = ("remote", "add", "--", name, history_remote.check_url(url))
        self._git.run(*words, what=f"add the Git remote {name}", writes=True)
