"""What leads to commits beside branches and tags: stashes, the reflog of HEAD, other working trees, what is staged.

For whoever must not lose what only these know. Reads, changes nothing; knows no metafiles.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from modelkeep.core.engine.history_objects import GitObject, Objects, parse_tree, reading
from modelkeep.core.engine.history_process import GitProgram
from modelkeep.core.nouns import dataclass

_ID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAMED = ("refs/heads/", "refs/remotes/", "refs/tags/")
_STASH = "refs/stash"
_AT_ONCE = 1000
#: What an unfinished merge, rebase or the like still needs; these are files in Git's folder.
_BEGUN = (
    "MERGE_HEAD", "MERGE_AUTOSTASH", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD",
    "rebase-merge/orig-head", "rebase-merge/onto", "rebase-merge/autostash", "rebase-merge/stopped-sha",
    "rebase-apply/orig-head", "rebase-apply/autostash",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkingTree:
    """A working tree of the repository: where it is, and the commit that is checked out ("" for none).

    `is_locked` says that it is wanted though it may not be there, such as one on a drive that is unplugged.
    """

    folder: Path
    head: str
    is_locked: bool


class Roots:
    """The ways to commits of one repository. `git_dir` is this working tree's, `common_dir` the repository's."""

    def __init__(self, program: GitProgram, git_dir: Path, common_dir: Path) -> None:
        self._git = program
        self._git_dir = git_dir
        self._common = common_dir

    def working_trees(self) -> tuple[WorkingTree, ...]:
        """All working trees, this one too; some may not be there at the moment."""
        out = self._git.run("worktree", "list", "--porcelain", "-z", what="list the working trees")
        found = []
        for block in out.split(b"\0\0"):
            facts = dict(line.partition(b" ")[::2] for line in block.split(b"\0"))
            if b"worktree" in facts and b"bare" not in facts:
                head = facts.get(b"HEAD", b"").decode()
                place = Path(os.fsdecode(facts[b"worktree"]))
                found.append(WorkingTree(place, "" if set(head) <= {"0"} else head, b"locked" in facts))
        return tuple(found)

    def tips(self) -> tuple[str, ...]:
        """What is checked out anywhere, and what an unfinished merge, rebase or the like still needs."""
        names = [tree.head for tree in self.working_trees() if tree.head]
        for folder in self._git_dirs():
            for name in _BEGUN:
                with suppress(OSError):
                    names += [one.decode() for one in _ID.findall((folder / name).read_bytes()[:1000])]
        return tuple(self.commits(names))

    def unnamed(self, also: Iterable[str] = (), *, stashes: bool, reflog: bool) -> tuple[str, ...]:
        """The commits that no branch, remote branch or tag leads to, but a stash, the reflog of a HEAD, a ref of
        another kind (such as an experiment's), or one of the ids `also` does.

        A stash brings what it holds of the index and of untracked files: these are commits of their own.
        """
        starts = [*also, *self._other_refs(stashes)]
        if stashes:
            starts += [commit for file in self._other_logs() for commit in _logged(file)]
        if reflog:
            for folder in self._git_dirs():
                starts += _logged(folder / "logs/HEAD")
        starts = self.commits(starts)
        if not starts:
            return ()
        words = ("rev-list", "--stdin", "--not", "--branches", "--remotes", "--tags")
        data = "".join(f"{one}\n" for one in starts).encode()
        out = self._git.run(*words, data=data, what="find what only stashes and the reflog know")
        return tuple(out.decode().split())

    def staged(self) -> dict[str, tuple[str, ...]]:
        """The blobs staged under each path (from the top of the repository); several while a merge is open.

        Nothing where the index is as HEAD.
        """
        words = ("diff-index", "--cached", "--quiet", "--no-ext-diff", "HEAD", "--")
        if self._git.call(*words, what="read its index", ok=(0, 1, 128)).status == 0:
            return {}
        out = self._git.run("ls-files", "--stage", "-z", what="read its index")
        found: dict[str, tuple[str, ...]] = {}
        for entry in out.split(b"\0"):
            facts, _, path = entry.partition(b"\t")
            mode, *rest = facts.split(b" ")
            if mode.startswith(b"100"):
                name = os.fsdecode(path)
                found[name] = (*found.get(name, ()), rest[0].decode())
        return found

    def projects(self, *, ever: bool) -> set[str]:
        """The folders (from the top of the repository, "" for the top) that hold a DVC project that Git tracks or
        could track, or with `ever` in any commit that is still known."""
        places = ":(top,glob)**/.dvc/config"
        words = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", places)
        out = self._git.run(*words, what="look for projects", literal=False)
        if ever:
            log = (
                "log", "--all", "--reflog", "--format=", "--name-only", "--no-renames", "-z", "--full-history",
                "-m", "--no-show-signature", "--no-ext-diff", "--no-textconv", "--", places,
            )  # fmt: skip
            done = self._git.call(*log, what="read the history", ok=(0, 128), literal=False)
            out += b"\0" + done.out
        names = {os.fsdecode(one).strip("\n") for one in out.split(b"\0")}
        return {one.removesuffix(".dvc/config").rstrip("/") for one in names if one}

    @property
    def is_shallow(self) -> bool:
        """Whether the history ends somewhere before its beginning."""
        return (self._common / "shallow").exists()

    def unreadable(self, commits: Iterable[str], folder: str) -> str | None:
        """The first of `commits` whose tree, or whose `folder` in it, this repository cannot read."""
        wanted = list(commits)
        known: dict[str, bool] = {}
        with reading(self._git) as objects:
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                trees = objects.read([f"{commit}^{{tree}}" for commit in some])
                for commit, tree in zip(some, trees, strict=True):
                    if tree is not None and tree.id not in known:
                        known[tree.id] = _is_readable(objects, tree, folder)
                    if tree is None or not known[tree.id]:
                        return commit
        return None

    def lacking(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the object ids `names` that are not in this repository."""
        wanted = list(dict.fromkeys(names))
        with reading(self._git) as objects:
            return tuple(n for n, found in zip(wanted, objects.read(wanted), strict=True) if found is None)

    # -- the ways ----------------------------------------------------------------------------------------

    def _git_dirs(self) -> Iterator[Path]:
        yield from dict.fromkeys((self._git_dir, self._common))
        with suppress(OSError):
            yield from sorted(set((self._common / "worktrees").iterdir()) - {self._git_dir})

    def _other_refs(self, stashes: bool) -> list[str]:
        out = self._git.run("for-each-ref", "--format=%(refname)%00%(objectname)", what="list the refs")
        rows = (line.split("\0") for line in out.decode("utf-8", "surrogateescape").splitlines())
        return [name for ref, name in rows if not ref.startswith(_NAMED) and (stashes or ref != _STASH)]

    def _other_logs(self) -> Iterator[Path]:
        """The reflogs of stashes, and of refs of another kind: DVC queues experiments as stashes of its own."""
        with suppress(OSError):
            for place in (self._common / "logs/refs").iterdir():
                if f"refs/{place.name}/" not in _NAMED:
                    yield from (one for one in (place, *place.rglob("*")) if one.is_file())

    def commits(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that are here and are commits, or tags of commits, each once, as commits."""
        wanted = [f"{name}^{{commit}}" for name in dict.fromkeys(names)]
        if not wanted:
            return []
        with reading(self._git) as objects:
            return list(dict.fromkeys(found.id for found in objects.read(wanted) if found is not None))


def _is_readable(objects: Objects, top: GitObject, folder: str) -> bool:
    """Whether `folder` beneath the tree `top` can be read, or does not exist."""
    here = top
    for part in folder.split("/") if folder else ():
        step = next((one for one in parse_tree(here) if one.name == part and one.is_tree), None)
        if step is None:
            return here.data is not None
        found = objects.read([step.id])[0]
        if found is None:
            return False
        here = found
    return here.data is not None


def _logged(file: Path) -> list[str]:
    """The commits that a reflog names, old and new."""
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return []
    return [one.decode() for line in lines for one in line.split(b" ", 2)[:2] if _ID.fullmatch(one)]
