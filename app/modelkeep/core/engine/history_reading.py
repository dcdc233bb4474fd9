"""Reading the history: versions, refs, the content of commits, and what differs. Changes nothing.

Paths are relative to the project's folder. What status would start is asked of history_trust first.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from modelkeep.core.engine import history_objects, history_refs, history_trust
from modelkeep.core.engine.history_process import GitProgram
from modelkeep.core.errors import NotFound, Refused, UnsafePath
from modelkeep.core.nouns import replace
from modelkeep.core.paths import read_small, visible
from modelkeep.core.patterns import pattern
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import Version, VersionKind, VersionList

if TYPE_CHECKING:
    from modelkeep.core.engine.history_askpass import Ask
    from modelkeep.core.engine.history_roots import Roots
    from modelkeep.core.engine.history_secrets import OldConfig

_ID = pattern(r"[0-9a-fA-F]{4,64}")
_FULL_ID = pattern(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REF_ROOTS = ("refs/tags", "refs/heads", "refs/remotes")
_TRACKED = ("*.dvc", "dvc.yaml", "dvc.lock")
_PLAIN_REF = pattern(r"refs/heads/\w[\w-]*(?:[./]\w[\w-]*)*")
_GLOB = pattern(r"[*?\[\]\\]")


class ReadableHistory:
    """The half of History that changes nothing.

    `folder` is the project's folder, `git_root` the top of the working tree, `prefix` the way from there to
    the folder ("" or "a/b/"), `git_dir` this working tree's Git folder and `common_dir` the repository's.
    """

    def __init__(self, folder: Path, git_root: Path, git_dir: Path, common_dir: Path) -> None:
        self.folder = folder
        self.git_root = git_root
        self.git_dir = git_dir
        self.common_dir = common_dir
        relative = folder.relative_to(git_root).as_posix()
        self.prefix = "" if relative == "." else f"{relative}/"
        self._git = GitProgram(git_root)

    # -- trust and questions ---------------------------------------------------------------------------

    @property
    def trusted(self) -> bool:
        """Whether the user allows what the repository's own configuration and hooks start. Set by Project."""
        return self._git.trusted

    @trusted.setter
    def trusted(self, value: bool) -> None:
        self._git.trusted = value

    @property
    def ask(self) -> Ask | None:
        """Called (on another thread) with the prompt of git or ssh; returns the answer or None to give up."""
        return self._git.ask

    @ask.setter
    def ask(self, value: Ask | None) -> None:
        self._git.ask = value

    def executables(self) -> tuple[str, ...]:
        """What this repository would start if trusted: lines of its configuration, and its hooks."""
        lines = history_trust.dangerous(history_trust.settings(self._git))
        return (*map(str, lines), *history_trust.hooks(self.common_dir))

    @property
    def read_only(self) -> bool:
        """Whether `changes`, `commit` and `switch` refuse, because no switch stops what they would start."""
        return not self.trusted and bool(history_trust.unstoppable(history_trust.settings(self._git)))

    def _guard(self, what: str) -> None:
        if self.trusted:
            return
        lines = history_trust.unstoppable(history_trust.settings(self._git))
        if lines:
            raise Refused(
                f"Modelkeep does not {what} here: the repository's own settings would start programs.",
                detail="\n".join(map(str, lines)),
                hint="If you know these lines and trust the project, say so (modelkeep open --trust); "
                "otherwise make a clean copy with git clone --no-local.",
            )

    # -- versions --------------------------------------------------------------------------------------

    def head(self) -> tuple[str | None, str]:
        """(the branch that is checked out or None, the commit or "" while there is none)."""
        ref, commit = self._head_file()
        if ref is None:
            out = self._git.call("symbolic-ref", "--quiet", "HEAD", what="read HEAD", ok=(0, 1)).out
            ref = os.fsdecode(out).removesuffix("\n")
        return ref.removeprefix("refs/heads/") or None, commit or self._commit_id("HEAD") or ""

    def _head_file(self) -> tuple[str | None, str]:
        """(the ref that HEAD names or "", the commit), as far as Git's own files say so plainly; else None and "".

        Two files are read in a fraction of the time that a process takes, and every look at a project asks.
        """
        try:
            text = read_small(self.git_dir / "HEAD").decode().removesuffix("\n")
            if _FULL_ID.fullmatch(text):
                return "", text
        except (OSError, UnicodeDecodeError, UnsafePath):
            return None, ""
        ref = text.removeprefix("ref: ")
        if not _PLAIN_REF.fullmatch(ref):
            return None, ""
        try:
            commit = read_small(self.common_dir / ref).decode().removesuffix("\n")
        except (OSError, UnicodeDecodeError, UnsafePath):  # packed, or there is no commit yet
            return ref, ""
        return ref, commit if _FULL_ID.fullmatch(commit) else ""

    def versions(self, *, commits_limit: int = 200) -> VersionList:
        """All tags, branches and remote branches, and the newest commits that touched tracked data."""
        refs = list(self._refs(*_REF_ROOTS))
        groups: dict[VersionKind, list[Version]] = {}
        for line in refs:
            groups.setdefault(line.version.kind, []).append(line.version)
        return VersionList(
            history_refs.newest_first(groups.get(VersionKind.TAG, ())),
            history_refs.newest_first(groups.get(VersionKind.BRANCH, ())),
            history_refs.newest_first(groups.get(VersionKind.REMOTE_BRANCH, ())),
            self._data_commits(commits_limit) if commits_limit else (),
        )

    def resolve(self, text: str) -> Version:
        """The tag, branch, remote branch, full ref or commit id (or "HEAD") called `text`; raises NotFound."""
        candidates = [text] if text.startswith("refs/") else [f"{root}/{text}" for root in _REF_ROOTS]
        if text and not _GLOB.search(text):
            found = {line.ref: line.version for line in self._refs(*candidates)}
            for candidate in candidates:
                if candidate in found:
                    return found[candidate]
        if text == "HEAD" or _ID.fullmatch(text):
            commit = self._commit_id(text)
            if commit:
                return self._commit_version(commit)
        raise NotFound(
            f"There is no version named {visible(text)}.", hint="modelkeep versions lists all of them."
        )

    def upstream(self) -> tuple[str | None, int, int]:
        """(the upstream of the current branch such as origin/main, or None; commits ahead; commits behind)."""
        branch, _ = self.head()
        if branch is None:
            return None, 0, 0
        form = "--format=%(refname)%00%(upstream)%00%(upstream:track,nobracket)"
        out = self._git.run("for-each-ref", form, f"refs/heads/{branch}", what="read the upstream")
        for line in out.decode("utf-8", "surrogateescape").splitlines():
            ref, name, track = line.split("\0")
            if ref == f"refs/heads/{branch}" and name and track != "gone":
                counts = dict(part.split(" ") for part in track.split(", ") if part)
                ahead, behind = int(counts.get("ahead", 0)), int(counts.get("behind", 0))
                return name.removeprefix("refs/remotes/"), ahead, behind
        return None, 0, 0

    def parent(self, commit: str) -> str:
        """The id of the first parent of `commit`, "" for the first commit of all."""
        return self._commit_id(f"{checked_id(commit)}^") or ""

    def message(self, commit: str) -> str:
        """The message of `commit`, without line breaks at its ends."""
        return self._commit_version(checked_id(commit)).message

    def tag_exists(self, name: str) -> bool:
        """Whether a tag with this name exists here."""
        return self.tag_target(name) is not None

    def tag_target(self, name: str) -> str | None:
        """The commit that the tag `name` names, or None if there is no such tag."""
        return self._commit_id(f"refs/tags/{name}") if not _GLOB.search(name) else None

    def tag_object(self, name: str) -> str | None:
        """The id of the tag `name` itself, or None if there is no such annotated tag."""
        words = ("rev-parse", "--quiet", "--verify", f"refs/tags/{name}^{{tag}}")
        done = self._git.call(*words, what="find the tag", ok=(0, 1, 128))
        return done.out.decode().strip() or None if done.status == 0 else None

    def _refs(self, *patterns: str) -> Iterator[history_refs.RefLine]:
        form = f"--format={history_refs.REF_FORMAT}"
        out = self._git.run("for-each-ref", form, *patterns, what="list the versions")
        for line in history_refs.parse_refs(out):
            if line.commit:
                yield line
            elif commit := self._commit_id(line.target):  # a tag of a tag
                yield line._replace(commit=commit, version=replace(line.version, commit=commit))

    def _data_commits(self, limit: int) -> tuple[Version, ...]:
        branch, head = self.head()
        top = ["HEAD"] if head else []
        if not top and not any(self._refs("refs/heads")):
            return ()
        escaped = _GLOB.sub(r"\\\g<0>", self.prefix)
        places = [f":(top,glob){escaped}**/{name}" for name in _TRACKED]
        options = ("-z", "--no-show-signature", "--date=raw", f"--format={history_refs.COMMIT_FORMAT}")
        which = (f"--max-count={limit}", "--branches", *top, "--", *places)
        out = self._git.run("log", *options, *which, what="read the history", literal=False)
        found = history_refs.parse_commits(out)
        return tuple(replace(one, is_head=branch is None and one.commit == head) for one in found)

    def all_commits(self) -> tuple[Version, ...]:
        """Every commit that HEAD, a branch, a remote branch or a tag leads to, newest first."""
        top = ["HEAD"] if self.head()[1] else []
        every = ("--branches", "--remotes", "--tags")
        if not top and not any(self._refs(*_REF_ROOTS)):
            return ()
        options = ("-z", "--no-show-signature", "--date=raw", f"--format={history_refs.COMMIT_FORMAT}")
        out = self._git.run("log", *options, *every, *top, "--", what="read the history")
        return tuple(history_refs.parse_commits(out))

    def roots(self) -> Roots:
        """What leads to commits beside branches and tags."""
        from modelkeep.core.engine.history_roots import Roots

        return Roots(self._git, self.git_dir, self.common_dir)

    def last_change(self, commit: str, path: str) -> Version | None:
        """The last commit, up to `commit`, that changed `path`; its author is who to ask. None if there is none."""
        options = ("-z", "--no-show-signature", "--date=raw", f"--format={history_refs.COMMIT_FORMAT}")
        which = ("--max-count=1", checked_id(commit), "--", self.prefix + path)
        out = self._git.run("log", *options, *which, what="find who changed a file")
        return next(history_refs.parse_commits(out), None)

    def _commit_version(self, commit: str) -> Version:
        options = ("-z", "--no-show-signature", "--date=raw", f"--format={history_refs.COMMIT_FORMAT}")
        out = self._git.run("log", *options, "--max-count=1", commit, "--", what="read the commit")
        return next(history_refs.parse_commits(out))

    def _commit_id(self, name: str) -> str | None:
        """The commit that `name` (a full ref, an id, HEAD) leads to."""
        words = ("rev-parse", "--quiet", "--verify", f"{name}^{{commit}}")
        done = self._git.call(*words, what="find the commit", ok=(0, 1, 128))
        return done.out.decode().strip() or None if done.status == 0 else None

    # -- content ---------------------------------------------------------------------------------------

    def objects(self) -> AbstractContextManager[history_objects.Objects]:
        """Open a reader of many objects, for one thread."""
        return history_objects.reading(self._git)

    def blob(self, commit: str, path: str) -> bytes | None:
        """The content of the regular file at `path` in `commit`, or None if there is none."""
        with self.objects() as objects:
            entry = history_objects.find(objects, commit, f"{self.prefix}{path}")
            if entry is None or not entry.is_file:
                return None
            found = objects.read([entry.id])[0]
        if found is not None and found.data is None:
            raise Refused(f"{visible(path)} is too large to be read from Git ({found.size} bytes).")
        return None if found is None else found.data

    def differing(self, before: str, after: str) -> tuple[str, ...]:
        """The paths Git tracks differently in two commits; "" stands for the empty start."""
        ids = [checked_id(one) if one else self._empty_tree() for one in (before, after)]
        options = ("-r", "-z", "--no-renames", "--name-only", "--no-ext-diff")
        out = self._git.run("diff-tree", *options, *ids, "--", what="compare two commits")
        return tuple(map(self._here, _names(out)))

    def changes(self, *, untracked: bool = True) -> tuple[str, ...]:
        """The paths where working tree, index and HEAD differ; with `untracked`, new files that are not ignored.

        Paths outside the project's folder start with `../`.
        """
        return tuple(self.marked_changes(untracked=untracked))

    def marked_changes(self, *, untracked: bool = True) -> dict[str, str]:
        """As `changes`, and for each path whether it was "added", "changed" or "removed"."""
        self._guard("look for changes")
        shown = "all" if untracked else "no"
        options = ("--porcelain=v2", "-z", "--no-renames", "--ignore-submodules=dirty")
        out = self._git.run("status", *options, f"--untracked-files={shown}", what="look for changes")
        return {self._here(path): mark for path, mark in history_refs.parse_status(out)}

    def is_ignored(self, paths: Iterable[str]) -> set[str]:
        """Those of `paths` that Git ignores (a tracked path is never ignored)."""
        wanted = list(paths)
        if not wanted:
            return set()
        data = b"".join(os.fsencode(self.prefix + path) + b"\0" for path in wanted)
        options = ("check-ignore", "-z", "--stdin")
        out = self._git.run(*options, what="read what is ignored", data=data, ok=(0, 1), literal=False)
        return set(map(self._here, _names(out)))

    def is_tracked(self, path: str) -> bool:
        """Whether Git tracks `path` or anything below it."""
        return bool(self._git.run("ls-files", "-z", "--", self.prefix + path, what="read its index"))

    def old_configs(self, progress: Progress = SILENT) -> Iterator[OldConfig]:
        """Every version of every DVC config file on any branch, tag or stash, newest first."""
        from modelkeep.core.engine.history_secrets import old_configs

        found = old_configs(self._git, self.prefix, progress)
        return (one._replace(path=self._here(one.path)) for one in found)

    def git_version(self) -> str:
        """The version of the git that is used, such as 2.39.5."""
        out = self._git.run("version", what="tell its version").decode("ascii", "replace").split()
        return out[2] if len(out) > 2 else ""

    def identity(self) -> tuple[str, str] | None:
        """(name, e-mail) of the person who commits, or None if Git was never told."""
        done = self._git.call("var", "GIT_AUTHOR_IDENT", what="read who you are", ok=(0, 128))
        found = re.match(r"(.*?) ?<(.*?)> \d+ [+-]\d+", done.out.decode("utf-8", "replace"))
        return (found[1], found[2]) if found and done.status == 0 else None

    # -- names -----------------------------------------------------------------------------------------

    def _here(self, path: str) -> str:
        """A path relative to the top of the repository as one relative to the project."""
        if path.startswith(self.prefix):
            return path.removeprefix(self.prefix)
        return posixpath.relpath(path, self.prefix)

    def _empty_tree(self) -> str:
        out = self._git.run("hash-object", "-t", "tree", "--stdin", what="name the empty tree")
        return out.decode().strip()


def checked_id(text: str) -> str:
    """`text` if it is the full id of an object, else NotFound."""
    if not _FULL_ID.fullmatch(text):
        raise NotFound(f"{visible(text)} is not the id of a commit.")
    return text


def _names(out: bytes) -> list[str]:
    return [os.fsdecode(name) for name in out.split(b"\0") if name]
