"""Writes commits, tags and branches, each without touching what else is staged, and makes them durable.

Works on full ref names and ids only; paths are relative to the top of the repository. Knows no versions.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from modelkeep.core import durable
from modelkeep.core.engine.history_process import GitProgram
from modelkeep.core.errors import GitFailed, Refused
from modelkeep.core.progress import SILENT, Progress

_IN_PROGRESS = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "BISECT_LOG": "bisect",
}
_FEW = 64  # up to so many files and folders are synced one by one, beyond it the file system at once


def refuse_in_progress(git_dir: Path, what: str) -> None:
    """Raise Refused while a merge, rebase or the like waits for the user; `what` is what was asked for."""
    for name, operation in _IN_PROGRESS.items():
        if (git_dir / name).exists():
            raise Refused(
                f"A {operation} is in progress in this repository, so Modelkeep does not {what}.",
                hint=f"Finish it with git {operation} --continue, or give it up with --abort.",
            )


def commit_quietly(
    program: GitProgram, git_dir: Path, head: str, paths: Sequence[str], message: str, progress: Progress
) -> str:
    """Commit exactly `paths` as they are on disk, starting no hook; returns the new commit's id.

    Returns `head` itself when they do not differ from it. The commit is built in an index of its own. The
    real index learns about the paths before the branch moves, so that a kill in between leaves them staged.
    """
    index = git_dir / f"modelkeep-index-{os.urandom(8).hex()}"
    env = {"GIT_INDEX_FILE": str(index)}
    try:
        start = ("read-tree", head) if head else ("read-tree", "--empty")
        program.run(*start, what="read the last commit", env=env, writes=True, progress=progress)
        stage(program, paths, env=env, progress=progress)
        tree = _line(program.run("write-tree", what="write the commit", env=env, writes=True))
        if head and tree == _line(program.run("rev-parse", f"{head}^{{tree}}", what="read the last commit")):
            return head
        entries = program.run("ls-files", "--stage", "-z", "--", *paths, what="read its index", env=env)
    finally:
        for leftover in (index, index.with_name(f"{index.name}.lock")):
            with suppress(FileNotFoundError):
                os.unlink(leftover)
    commit = _commit_tree(program, tree, head, message)
    _put(program, entries, paths)
    move_head(program, commit, head, message)
    return commit


def commit_index(program: GitProgram, head: str, message: str) -> str:
    """Commit all that is staged, starting no hook; returns the new commit's id."""
    tree = _line(program.run("write-tree", what="write the commit", writes=True))
    commit = _commit_tree(program, tree, head, message)
    move_head(program, commit, head, message)
    return commit


def stage(
    program: GitProgram,
    paths: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    progress: Progress = SILENT,
) -> None:
    """Put `paths` as they are on disk into the index (the one that `env` names); missing ones leave it."""
    options = ("--add", "--remove", "-z", "--stdin")
    program.run(
        "update-index",
        *options,
        what="stage the files",
        data=_nul(paths),
        env=env,
        writes=True,
        progress=progress,
    )


def commit_with_hooks(
    program: GitProgram, head: str, paths: Sequence[str], message: str, progress: Progress
) -> str:
    """Commit exactly `paths` by `git commit`, so that the hooks of a trusted repository run."""
    known = program.run("ls-files", "-z", "--", *paths, what="read its index").split(b"\0")
    new = [path for path in paths if os.fsencode(path) not in known]
    new = [path for path in new if os.path.lexists(program.folder / path)]
    if new:
        program.run("add", "--intent-to-add", "--force", "--", *new, what="add files", writes=True)
    gone = [p for p in paths if os.fsencode(p) not in known and p not in new]
    wanted = [path for path in paths if path not in gone]
    if not wanted or not (new or program.run("status", "--porcelain", "-z", "--", *wanted, what="compare")):
        return head
    program.run(
        "commit",
        "--quiet",
        "--only",
        "--cleanup=verbatim",
        "--file=-",
        "--",
        *wanted,
        what="commit",
        data=_message(message),
        writes=True,
        progress=progress,
    )
    return _line(program.run("rev-parse", "--verify", "HEAD^{commit}", what="read the new commit"))


def uncommit(program: GitProgram, branch_ref: str, commit: str, base: str) -> None:
    """Move `branch_ref` from `commit` back to its parent `base` ("" if it was the first commit).

    Refuses if the branch has moved on. The workspace is not touched; the index forgets what the commit added.
    """
    names = ("diff-tree", "-r", "-z", "--no-renames", "--root", "--no-commit-id", "--raw", commit)
    raw = program.run(*names, what="read the commit").split(b"\0")
    lines = []
    for header, path in zip(raw[0::2], raw[1::2], strict=False):
        old_mode, _, old_id, *_ = header.lstrip(b":").split(b" ")
        lines.append(old_mode + b" " + old_id + b"\t" + path)
    arguments = ("-d", branch_ref, commit) if not base else (branch_ref, base, commit)
    try:
        program.run(
            "update-ref", "-m", "modelkeep: undo", *arguments, what="take the commit back", writes=True
        )
    except GitFailed as error:
        raise Refused(
            "The branch has moved since the commit was made; it is left as it is.", detail=error.detail
        ) from error
    if lines:
        program.run(
            "update-index",
            "-z",
            "--index-info",
            what="update its index",
            data=b"\0".join(lines) + b"\0",
            writes=True,
        )


def move_head(program: GitProgram, new: str, old: str, message: str) -> None:
    """Point the current branch (or the detached HEAD) at the commit `new`, if it is still at `old` ("" = unborn)."""
    before = old or "0" * len(new)
    subject = message.partition("\n")[0]
    reason = f"commit: {subject}" if old else f"commit (initial): {subject}"
    program.run(
        "update-ref",
        "--create-reflog",
        "-m",
        reason,
        "HEAD",
        new,
        before,
        what="move the branch",
        writes=True,
    )


def create_tag(program: GitProgram, name: str, message: str, commit: str) -> str:
    """Create the annotated tag `name` at `commit`; returns the id of the tag object."""
    program.run(
        "tag",
        "--annotate",
        "--no-sign",
        "--cleanup=verbatim",
        "--file=-",
        "--",
        name,
        commit,
        what=f"create the tag {name}",
        data=_message(message or name),
        writes=True,
    )
    return _line(program.run("rev-parse", "--verify", f"refs/tags/{name}", what="read the new tag"))


def create_branch(program: GitProgram, name: str, commit: str) -> None:
    """Create the branch `name` at `commit`; raises GitCommandFailed if the name is taken."""
    ref = f"refs/heads/{name}"
    reason = "branch: Created by Modelkeep"
    program.run(
        "update-ref",
        "--create-reflog",
        "-m",
        reason,
        ref,
        commit,
        "0" * len(commit),
        what=f"create the branch {name}",
        writes=True,
    )


def delete_ref(program: GitProgram, ref: str, expect: str | None) -> None:
    """Delete `ref`, if it still is at `expect` where that is given."""
    arguments = ("-d", ref) if expect is None else ("-d", ref, expect)
    program.run("update-ref", *arguments, what=f"delete {ref}", writes=True)


def settle(git_dir: Path, common_dir: Path, work: Path | None = None) -> None:
    """Make what git wrote survive a power cut: refs, logs, index, HEAD, names of objects (safety rule R7).

    The objects were synced by git itself (core.fsync=all); git syncs neither folders nor reflogs, nor the files
    it checks out: `work` is where it did that.
    """
    if work is not None:
        durable.sync_file_system(str(work))
    files, folders = [], []
    for base in {git_dir, common_dir}:
        folders.append(base)
        files += [base / name for name in ("HEAD", "index", "packed-refs") if (base / name).is_file()]
        for part in ("refs", "logs"):
            for folder, _, names in os.walk(base / part):
                folders.append(Path(folder))
                files += [Path(folder, name) for name in names]
    with suppress(OSError):
        folders += [
            common_dir / "objects",
            *(one for one in (common_dir / "objects").iterdir() if one.is_dir()),
        ]
    if len(files) + len(folders) > _FEW and durable.sync_file_system(str(common_dir)):
        return
    for file in files:
        with suppress(FileNotFoundError):  # another git moved it meanwhile
            durable.sync_file(str(file))
    for one in folders:
        with suppress(FileNotFoundError):
            durable.sync_folder(str(one))


def _put(program: GitProgram, entries: bytes, paths: Sequence[str]) -> None:
    """Put `entries` (ls-files --stage -z) into the real index; those of `paths` not among them leave it."""
    kept = {entry.partition(b"\t")[2] for entry in entries.split(b"\0")}
    zero = b"0" * 40
    gone = [b"0 " + zero + b"\t" + os.fsencode(path) for path in paths if os.fsencode(path) not in kept]
    lines = [entry for entry in entries.split(b"\0") if entry] + gone
    if not lines:
        return
    data = b"\0".join(lines) + b"\0"
    program.run("update-index", "-z", "--index-info", what="update its index", data=data, writes=True)
    program.run("update-index", "-q", "--refresh", what="update its index", ok=(0, 1), writes=True)


def _commit_tree(program: GitProgram, tree: str, head: str, message: str) -> str:
    parent = ("-p", head) if head else ()
    words = ("commit-tree", tree, *parent, "-F", "-")
    return _line(program.run(*words, what="commit", data=_message(message), writes=True))


def _line(out: bytes) -> str:
    return out.decode("utf-8", "surrogateescape").strip()


def _message(message: str) -> bytes:
    return (message if message.endswith("\n") else f"{message}\n").encode("utf-8", "replace")


def _nul(paths: Sequence[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)
