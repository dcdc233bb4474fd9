"""The rows of Contents as frozen values: outputs, and the folders and files a manifest names. Knows no widget.

Building the rows of a folder with a hundred thousand files takes a moment, so it is done in a job.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelkeep.core.errors import ModelkeepError
from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Manifest, Output, Snapshot, State, Status
from modelkeep.core.workflows import review


@dataclass(frozen=True)
class Item:
    """One row: an output (`entry` is None) or a folder or file inside it. Hash comparison is by identity."""

    name: str
    output: Output
    entry: str | None = None
    is_folder: bool = False
    size: int | None = None
    files: int | None = 1
    hash: str = ""
    mark: str = ""
    children: tuple[Item, ...] | None = None

    @property
    def opens(self) -> bool:
        """Whether there is something beneath it, known or not."""
        return self.is_folder

    @property
    def key(self) -> str:
        """Identifies the row also at another version."""
        return f"{self.output.path}/{self.entry}" if self.entry else self.output.path


def output_rows(snapshot: Snapshot, before: Snapshot | None, status: Status | None) -> tuple[Item, ...]:
    """One row per output, marked by what it is against `before`, or for the workspace by its `status`."""
    states = {one.output.path: one for one in status.outputs} if status else None
    rows = []
    for out in snapshot.outputs:
        if states is not None:
            found = states.get(out.path)
            mark = _state_mark(found.state, found.committed) if found else ""
        else:
            mark = _mark(out, before)
        rows.append(
            Item(
                out.path,
                out,
                is_folder=out.is_dir,
                size=out.size,
                files=out.file_count,
                hash=out.oid.name if out.oid else "",
                mark=mark,
            )
        )
    return tuple(rows)


def _state_mark(state: State, committed: State) -> str:
    marks = {
        State.MODIFIED: "changed",
        State.DELETED: "removed",
        State.NEW: "added",
        State.NOT_IN_CACHE: "absent",
    }
    return marks.get(state) or marks.get(committed, "")


def _mark(out: Output, before: Snapshot | None) -> str:
    if before is None:
        return ""
    old = before.find(out.path)
    if old is None:
        return "added"
    return "changed" if old.oid != out.oid else ""


def folder_rows(project: Project, out: Output, before: Output | None, progress: Progress) -> tuple[Item, ...]:
    """What lies in a folder output, from its manifest: no file is downloaded. For a worker's thread."""
    listed = review.manifest(project, out, progress)
    sizes = review.entry_sizes(project, listed)
    return build(out, listed, sizes, _hashes(project, out, before, progress))


def _hashes(
    project: Project, out: Output, before: Output | None, progress: Progress
) -> Mapping[str, str] | None:
    """Hash by path of the version before, None where that is the same or not known."""
    if before is None or before.oid is None or before.oid == out.oid or not before.oid.is_dir:
        return None
    try:
        return {entry.path: entry.hash for entry in review.manifest(project, before, progress).entries}
    except ModelkeepError:
        return None  # it may be out of reach; the folder itself can be shown without marks


def build(
    out: Output, listed: Manifest, sizes: Mapping[str, int], old: Mapping[str, str] | None
) -> tuple[Item, ...]:
    """Fold the flat paths of a manifest into rows, folders first."""
    tree: dict[str, Any] = {}
    for entry in listed.entries:
        *folders, name = entry.path.split("/")
        level = tree
        for folder in folders:
            level = level.setdefault(folder + "/", {})
        level[name] = entry
    return _level(out, tree, "", sizes, old)


def _level(
    out: Output, level: dict[str, Any], above: str, sizes: Mapping[str, int], old: Mapping[str, str] | None
) -> tuple[Item, ...]:
    folders, files = [], []
    for name, inside in level.items():
        if name.endswith("/"):
            path = above + name[:-1]
            kids = _level(out, inside, path + "/", sizes, old)
            folders.append(_folder(out, name[:-1], path, kids))
        else:
            mark = "" if old is None else _file_mark(old.get(inside.path), inside.hash)
            files.append(Item(name, out, inside.path, False, sizes.get(inside.hash), 1, inside.hash, mark))
    folders.sort(key=lambda item: item.name.casefold())
    return (*folders, *files)


def _folder(out: Output, name: str, path: str, kids: tuple[Item, ...]) -> Item:
    known = [kid.size for kid in kids]
    size = None if any(one is None for one in known) else sum(one or 0 for one in known)
    mark = "changed" if any(kid.mark for kid in kids) else ""
    return Item(name, out, path, True, size, sum(kid.files or 0 for kid in kids), "", mark, kids)


def _file_mark(old: str | None, new: str) -> str:
    if old is None:
        return "added"
    return "changed" if old != new else ""
