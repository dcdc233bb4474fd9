"""Where a commit keeps its metafiles: Git trees, each read and searched once. Knows no metafile's content."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from modelkeep.core.engine.history_objects import Objects, TreeEntry, parse_tree

#: What is deeper, or more than this, is no project but an attempt to keep us busy.
MAX_DEPTH = 100
MAX_FILES = 100_000
_NAMES = frozenset({"dvc.yaml", "dvc.lock", ".dvcignore"})


class Found(NamedTuple):
    """A file of interest: its path relative to the tree that was searched, and the id of its blob."""

    path: str
    id: str


class Search(NamedTuple):
    """The files of interest in a tree, and the folders that could not be searched."""

    files: tuple[Found, ...] = ()
    unread: tuple[str, ...] = ()


class Trees:
    """Remembers trees by id. For one thread at a time."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[TreeEntry, ...] | None] = {}
        self._searches: dict[str, Search] = {}

    def load(self, objects: Objects, roots: Iterable[str]) -> None:
        """Read the trees `roots` and all below them that are not known yet, level by level."""
        level = list(dict.fromkeys(roots))
        for _ in range(MAX_DEPTH):
            new = [one for one in level if one not in self._entries]
            if not new:
                return
            for name, found in zip(new, objects.read(new), strict=True):
                is_tree = found is not None and found.type == "tree" and found.data is not None
                self._entries[name] = parse_tree(found) if found is not None and is_tree else None
            level = list(
                dict.fromkeys(
                    e.id for one in new for e in self._entries[one] or () if e.is_tree and e.name != ".dvc"
                )
            )

    def search(self, root: str) -> Search:
        """The files of interest below the loaded tree `root`, the project's top."""
        return self._search(root, 0, top=True)

    def find(self, objects: Objects, root: str, path: str) -> TreeEntry | None:
        """What is at `path` below the tree `root`."""
        here = TreeEntry("", "40000", root)
        for part in path.split("/"):
            if not here.is_tree:
                return None
            if here.id not in self._entries:
                self.load(objects, [here.id])
            step = next((one for one in self._entries[here.id] or () if one.name == part), None)
            if step is None:
                return None
            here = step
        return here

    def _search(self, tree: str, depth: int, *, top: bool) -> Search:
        known = self._searches.get(tree)
        if known is not None and not top:
            return known
        found = self._search_anew(tree, depth, top)
        if not top:
            self._searches[tree] = found
        return found

    def _search_anew(self, tree: str, depth: int, top: bool) -> Search:
        entries = self._entries.get(tree)
        if entries is None or depth > MAX_DEPTH:
            return Search(unread=("",))
        if not top and any(one.name == ".dvc" and one.is_tree for one in entries):
            return Search()  # a DVC project of its own
        files: list[Found] = []
        unread: list[str] = []
        for one in entries:
            if one.is_file and (one.name in _NAMES or (one.name.endswith(".dvc") and one.name != ".dvc")):
                files.append(Found(one.name, one.id))
            elif one.is_tree and one.name != ".dvc":
                below = self._search(one.id, depth + 1, top=False)
                files += [Found(f"{one.name}/{file.path}", file.id) for file in below.files]
                unread += [f"{one.name}/{folder}" for folder in below.unread]
            if len(files) + len(unread) > MAX_FILES:
                return Search(unread=("",))
        return Search(tuple(files), tuple(unread))
