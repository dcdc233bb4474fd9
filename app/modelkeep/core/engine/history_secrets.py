"""Every config file that a repository ever had, read for what should not be there. Knows Git, not what is secret.

One walk over all refs lists the versions of `.dvc/config` and `config.local` in every folder, one process reads
them. Nothing is checked out, and no filter, textconv or diff program of the repository is started.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from modelkeep.core.engine.history_objects import reading
from modelkeep.core.engine.history_process import GitProgram
from modelkeep.core.progress import SILENT, Progress

#: Larger files are no configs. Bytes.
LARGEST = 256 << 10
#: So many versions are read; a repository with more was made to keep somebody busy.
MOST = 20_000
_AT_ONCE = 64
_WHAT = "search the history"
_ID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
#: In a longer history, looking into every folder of every commit would take minutes: there, the folders of projects
#: are taken from the branches and tags as they are now, and of those every commit is looked at.
FEW_COMMITS = 5_000
_NAMES = ("config", "config.local")
_ANYWHERE = tuple(f":(top,glob)**/.dvc/{name}" for name in _NAMES)
_WALK = (
    "--all",
    "--full-history",  # also what a branch had only between its beginning and its merge
    "-m",
    "--raw",
    "-z",
    "--no-abbrev",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--no-show-signature",
    "--format=%H",
)


class OldConfig(NamedTuple):
    """One version of a config file: the newest commit that brought it, its path from the top of the repository,
    the id of its blob, and its text."""

    commit: str
    path: str
    blob: str
    data: bytes


def old_configs(program: GitProgram, prefix: str, progress: Progress = SILENT) -> Iterator[OldConfig]:
    """Every distinct version of every config file on any branch, tag or stash, newest first.

    `prefix` ("" or "a/b/") is the folder of the project that is looked at in any case.
    """
    places = _places(program, prefix, progress)
    out = program.run("log", *_WALK, "--", *places, what=_WHAT, literal=False, progress=progress)
    named = list(_versions(out))[:MOST]
    small = _small(program, [blob for _, _, blob in named], progress)
    named = [one for one in named if one[2] in small]
    with reading(program) as objects:
        for start in range(0, len(named), _AT_ONCE):
            progress.check()
            some = named[start : start + _AT_ONCE]
            for (commit, path, blob), found in zip(some, objects.read([one[2] for one in some]), strict=True):
                if found is not None and found.type == "blob" and found.data is not None:
                    yield OldConfig(commit, path, blob, found.data)


def _places(program: GitProgram, prefix: str, progress: Progress) -> tuple[str, ...]:
    count = program.run("rev-list", "--count", "--all", what=_WHAT, progress=progress).strip()
    if int(count or 0) <= FEW_COMMITS:
        return _ANYWHERE
    folders = _projects(program, progress) | {prefix}
    return tuple(f":(top,literal){folder}.dvc/{name}" for folder in sorted(folders) for name in _NAMES)


def _projects(program: GitProgram, progress: Progress) -> set[str]:
    """The folders ("a/b/") that hold a project on some branch or tag, found by what one differs from the next."""
    form = "--format=%(tree) %(*tree)"
    out = program.run("for-each-ref", "--sort=creatordate", form, what=_WHAT, progress=progress)
    empty = program.run("hash-object", "-t", "tree", "--stdin", what=_WHAT).decode().strip()
    trees = [empty, *dict.fromkeys(out.decode("ascii", "replace").split())]
    pairs = "".join(f"{one} {other}\n" for one, other in pairwise(trees))
    words = ("diff-tree", "--stdin", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff")
    out = program.run(
        *words, "--", *_ANYWHERE, what=_WHAT, data=pairs.encode(), literal=False, progress=progress
    )
    paths = (os.fsdecode(field.rpartition(b"\n")[2]) for field in out.split(b"\0"))
    return {path.removesuffix(".local").removesuffix(".dvc/config") for path in paths if path}


def _versions(out: bytes) -> Iterator[tuple[str, str, str]]:
    """(commit, path, blob) of each distinct (path, blob) in the output of `log --raw -z --format=%H`."""
    seen = set()
    commit = ""
    fields = iter(out.split(b"\0"))
    for field in fields:
        text = field.strip(b"\n")
        if _ID.fullmatch(text):
            commit = text.decode()
        elif text.startswith(b":"):
            words = text.split()
            path = next(fields, b"").decode("utf-8", "surrogateescape")
            blob = words[3].decode() if len(words) > 3 else ""
            is_file = len(words) > 3 and words[1].startswith(b"100")
            if is_file and (path, blob) not in seen:
                seen.add((path, blob))
                yield commit, path, blob


def _small(program: GitProgram, blobs: Sequence[str], progress: Progress) -> set[str]:
    """Those of `blobs` that are here and not too large."""
    if not blobs:
        return set()
    asked = "".join(f"{blob}\n" for blob in dict.fromkeys(blobs)).encode()
    out = program.run("cat-file", "--batch-check", what=_WHAT, data=asked, progress=progress)
    words = (line.split() for line in out.decode("ascii", "replace").splitlines())
    return {one[0] for one in words if len(one) == 3 and one[2].isdigit() and int(one[2]) <= LARGEST}
