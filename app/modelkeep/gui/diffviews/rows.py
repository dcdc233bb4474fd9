"""The rows of Compare as frozen values: folders, and the files in them that differ. Knows no widget.

Building them for a hundred thousand files takes a moment, so it is done in a job.
"""

from __future__ import annotations

from collections.abc import Iterable

from modelkeep.core.diff.tree import Row, TreeDiff
from modelkeep.core.errors import ModelkeepError
from modelkeep.core.nouns import dataclass, replace
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Version, VersionKind
from modelkeep.core.workflows import review

SAME = "same"


@dataclass(frozen=True, eq=False)
class Node:
    """A file (`row` is set) or a folder with everything in it."""

    key: str
    name: str
    row: Row | None = None
    children: tuple[Node, ...] = ()
    changes: int = 0
    before: int | None = None
    after: int | None = None

    @property
    def opens(self) -> bool:
        """Whether it is a folder."""
        return self.row is None

    @property
    def status(self) -> str:
        """How it differs; "" for a folder."""
        return self.row.status if self.row else ""

    @property
    def starts_open(self) -> bool:
        """Small folders are open at first, so that few changes are seen without a click."""
        return self.row is None and len(self.children) <= 50


@dataclass(frozen=True, eq=False)
class Compared:
    """Two versions, what differs, and the rows of the tree with and without what is the same."""

    before: Version
    after: Version
    diff: TreeDiff
    changes: tuple[Node, ...]
    all: tuple[Node, ...] = ()


def compare(
    project: Project, before: Version, after: Version, everything: bool, progress: Progress
) -> Compared:
    """Compare in a worker's thread. `everything` also lists the files that are the same."""
    diff = review.compare(project, before, after, progress)
    rows = tree(diff.rows)
    if not everything:
        return Compared(before, after, diff, rows)
    return Compared(before, after, diff, rows, tree((*diff.rows, *_same(project, after, diff, progress))))


def _same(project: Project, after: Version, diff: TreeDiff, progress: Progress) -> Iterable[Row]:
    differing = {row.path for row in diff.rows}
    for path, hash_, size in _files(project, after, progress):
        if path not in differing:
            yield Row(SAME, path, None, size, size, hash_, hash_)


def _files(project: Project, version: Version, progress: Progress) -> Iterable[tuple[str, str, int | None]]:
    if version.kind is VersionKind.WORKSPACE:
        for path, (hash_, size) in project.workspace.content(progress).items():
            yield path, hash_, size
        return
    for out in review.snapshot(project, version, progress).outputs:
        if out.oid is None or not out.cached:
            continue
        if not out.oid.is_dir:
            yield out.path, out.oid.hash, out.size
            continue
        listed = review.manifest(project, out, progress)
        sizes = review.entry_sizes(project, listed)
        for entry in listed.entries:
            yield f"{out.path}/{entry.path}", entry.hash, sizes.get(entry.hash)


def tree(rows: Iterable[Row]) -> tuple[Node, ...]:
    """Rows under their folders, folders first, everything by name."""
    root: dict[str, object] = {}
    for row in rows:
        *folders, name = row.path.split("/")
        place = root
        for folder in folders:
            deeper = place.setdefault(f"{folder}/", {})
            assert isinstance(deeper, dict)
            place = deeper
        place[name] = row
    return _nodes(root, "")


def _nodes(place: dict[str, object], above: str) -> tuple[Node, ...]:
    folders = [_folder(name, inside, above) for name, inside in place.items() if isinstance(inside, dict)]
    files = [_file(name, row, above) for name, row in place.items() if isinstance(row, Row)]
    ordered = sorted(folders, key=lambda node: node.name.casefold())
    return (*ordered, *sorted(files, key=lambda node: node.name.casefold()))


def _folder(name: str, inside: dict[str, object], above: str) -> Node:
    children = _nodes(inside, above + name)
    label = name.removesuffix("/")
    if len(children) == 1 and children[0].row is None:  # a chain of folders is one row
        return replace(children[0], name=f"{label}/{children[0].name}")
    changes = sum(child.changes for child in children)
    before, after = _sum(child.before for child in children), _sum(child.after for child in children)
    return Node(above + name, label, None, children, changes, before, after)


def _file(name: str, row: Row, above: str) -> Node:
    return Node(above + name, name, row, (), int(row.status != SAME), row.size_before, row.size_after)


def _sum(sizes: Iterable[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def why(error: Exception) -> tuple[str, str]:
    """(what happened, what to do) of a comparison that failed."""
    if isinstance(error, ModelkeepError):
        return error.title, error.hint
    return str(error) or type(error).__name__, ""
