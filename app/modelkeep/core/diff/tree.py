"""Compares two trees of files by their hashes: added, changed, removed, renamed. Pure values in and out.

Knows nothing of where the hashes come from; a tree is a mapping from path to (hash, size or None).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from modelkeep.core.nouns import dataclass

Leaf = tuple[str, int | None]

ADDED = "added"
CHANGED = "changed"
REMOVED = "removed"
RENAMED = "renamed"


class Row(NamedTuple):
    """One file that differs. `old_path` is set for a rename; `output` is the tracked path it belongs to.

    Hashes are "" and sizes None on the side where the file is absent; None also where a size is unknown.
    """

    status: str
    path: str
    old_path: str | None = None
    size_before: int | None = None
    size_after: int | None = None
    before_hash: str = ""
    after_hash: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True)
class TreeDiff:
    """All rows sorted by path, how many of each status, and the balance in bytes of known sizes."""

    rows: tuple[Row, ...] = ()
    added: int = 0
    changed: int = 0
    removed: int = 0
    renamed: int = 0
    unchanged: int = 0
    bytes_before: int = 0
    bytes_after: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the two trees hold the same files."""
        return not self.rows

    @property
    def balance(self) -> int:
        """Bytes the second tree has more (or fewer, negative), as far as sizes are known."""
        return self.bytes_after - self.bytes_before


def compare_trees(
    before: Mapping[str, Leaf], after: Mapping[str, Leaf], *, outputs: Iterable[str] = ()
) -> TreeDiff:
    """What differs from `before` to `after`. A removed and an added file with one hash are a rename.

    Among several candidates the one with the same base name is preferred. `outputs` are the tracked paths of
    both sides, to tell which one each row belongs to.
    """
    owner = _owners(outputs)
    removed = {path: leaf for path, leaf in before.items() if path not in after}
    added = {path: leaf for path, leaf in after.items() if path not in before}
    came_from = _renames(removed, added)
    gone = set(came_from.values())
    rows = [
        Row(CHANGED, path, None, before[path][1], size, before[path][0], hash_, owner(path))
        for path, (hash_, size) in after.items()
        if path in before and before[path][0] != hash_
    ]
    changed = len(rows)
    for path, (hash_, size) in removed.items():
        if path not in gone:
            rows.append(Row(REMOVED, path, None, size, None, hash_, "", owner(path)))
    for path, (hash_, size) in added.items():
        old = came_from.get(path)
        if old is None:
            rows.append(Row(ADDED, path, None, None, size, "", hash_, owner(path)))
        else:
            rows.append(Row(RENAMED, path, old, removed[old][1], size, hash_, hash_, owner(path)))
    rows.sort(key=lambda row: row.path)
    return TreeDiff(
        rows=tuple(rows),
        added=len(added) - len(came_from),
        changed=changed,
        removed=len(removed) - len(came_from),
        renamed=len(came_from),
        unchanged=len(after) - len(added) - changed,
        bytes_before=sum(size or 0 for _, size in before.values()),
        bytes_after=sum(size or 0 for _, size in after.values()),
    )


def _renames(removed: Mapping[str, Leaf], added: Mapping[str, Leaf]) -> dict[str, str]:
    """New path -> old path. First those that kept their base name, then the others, both in path order."""
    sources: dict[str, list[str]] = defaultdict(list)
    wanted = {hash_ for hash_, _ in added.values()}
    for path in sorted(removed):
        if removed[path][0] in wanted:
            sources[removed[path][0]].append(path)
    targets = sorted(path for path in added if added[path][0] in sources)
    pairs: dict[str, str] = {}
    by_name: dict[tuple[str, str], list[str]] = defaultdict(list)
    for hash_, paths in sources.items():
        for path in reversed(paths):
            by_name[hash_, _base(path)].append(path)
    for path in targets:
        same_name = by_name.get((added[path][0], _base(path)))
        if same_name:
            pairs[path] = same_name.pop()
    used = set(pairs.values())
    rest = {h: [p for p in reversed(paths) if p not in used] for h, paths in sources.items()}
    for path in targets:
        if path not in pairs and rest[added[path][0]]:
            pairs[path] = rest[added[path][0]].pop()
    return pairs


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _owners(outputs: Iterable[str]) -> Callable[[str], str]:
    """A function from a file to the tracked path that is or holds it, "" if none does."""
    tracked = frozenset(outputs)

    def owner(path: str) -> str:
        while path and path not in tracked:
            path = path.rpartition("/")[0]
        return path

    return owner if tracked else lambda _: ""
