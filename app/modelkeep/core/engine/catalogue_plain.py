"""The quick way through the history: versions that hold nothing but plain `.dvc` files, which most versions do.

One version differs from the next by a file or two, so what each entry of a tree adds is remembered by the entry
itself. Anything else (a pipeline, rules of `.dvcignore`, a file that cannot be read, overlaps) is left to the
catalogue's own reading, which knows all rules. For one thread at a time.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from itertools import chain

from modelkeep.core.engine.catalogue_trees import MAX_DEPTH, MAX_FILES
from modelkeep.core.engine.history_objects import GitObject, Objects
from modelkeep.core.errors import ModelkeepError
from modelkeep.core.formats.ignore import has_rules
from modelkeep.core.formats.metafile import parse_metafile
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import Output

_TREE = b"40000"
_MOST = 20_000  # entries of one version that were not seen before; a metafile counts for several
_METAFILE = 10
_ENTRIES = {width: re.compile(rb"(?s:([0-7]+) ([^\0]+)\0(.{%d}))" % width).findall for width in (20, 32)}
_path_of = operator.attrgetter("path")

Entry = tuple[bytes, bytes, bytes]  # mode, name, id
Added = tuple[Output, ...]  # what an entry adds to a version


class _NotPlain(Exception):
    """The version needs the catalogue's own reading."""


class _Endless(_NotPlain):
    """The version holds more than the quick way is for: a few trees can make billions of folders."""


class PlainVersions:
    """What the trees of plain versions track."""

    def __init__(self) -> None:
        self._trees: dict[str, list[Entry]] = {}
        self._texts: dict[str, GitObject | None] = {}  # the files that matter, by the id of the blob
        self._same: dict[Entry, Entry] = {}  # each entry once, however many trees have it
        self._added: dict[str, dict[Entry, Added | None]] = {}  # by the folder of the entry; None: not plain
        self._holders: set[str] = set()  # folders of metafiles, in any version, and the folders above them

    def read(
        self, objects: Objects, roots: Sequence[GitObject], progress: Progress = SILENT
    ) -> dict[str, Added]:
        """The outputs of those of the trees `roots` that are plain, sorted by path, by the id of the tree."""
        self._load(objects, roots)
        found: dict[str, Added] = {}
        for root in roots:
            progress.check()
            self._left = _MOST
            try:
                found[root.id] = self._whole(self._walk(root.id, "", 0))
            except _NotPlain:
                continue
        return found

    def _load(self, objects: Objects, level: Sequence[GitObject]) -> None:
        """Take in trees and all below them, level by level, and the files that matter."""
        blobs: dict[str, None] = {}
        for _ in range(MAX_DEPTH):
            below: dict[str, None] = {}
            for tree in level:
                if tree.id not in self._trees and tree.data is not None:
                    self._trees[tree.id] = self._entries(tree, below, blobs)
            level = [one for one in objects.read(list(below)) if one is not None and one.type == "tree"]
            if not level:
                break
        self._texts.update(zip(blobs, objects.read(list(blobs)), strict=True))

    def _entries(self, tree: GitObject, below: dict[str, None], blobs: dict[str, None]) -> list[Entry]:
        data, same = tree.data or b"", self._same
        width = len(tree.id) // 2
        entries: list[Entry] = _ENTRIES[width](data)
        if sum(map(len, chain.from_iterable(entries))) + 2 * len(entries) != len(data):
            return [(b"100644", b"dvc.yaml", b"")]  # no tree that Git writes
        kept = []
        for entry in entries:
            known = same.get(entry)
            if known is None:
                known = same[entry] = entry
                mode, name, one = entry
                if mode == _TREE and name != b".dvc":
                    below[one.hex()] = None
                elif name.endswith((b".dvc", b".dvcignore")) and mode.startswith(b"100"):
                    blobs[one.hex()] = None
            kept.append(known)
        return kept

    def _walk(self, tree: str, folder: str, depth: int) -> list[Output]:
        entries = self._trees.get(tree)
        if entries is None or depth > MAX_DEPTH:
            raise _NotPlain
        known = self._added.setdefault(folder, {})
        outputs: list[Output] = []
        for entry in entries:
            if entry in known:
                added = known[entry]
            else:
                added = known[entry] = self._added_by(entry, folder, depth)
            if added is None:
                raise _NotPlain
            outputs += added
        return outputs

    def _added_by(self, entry: Entry, folder: str, depth: int) -> Added | None:
        self._left -= _METAFILE if entry[1].endswith(b".dvc") else 1
        if self._left < 0:
            raise _Endless
        mode, raw, one = entry
        name = raw.decode("utf-8", "surrogateescape")
        path = f"{folder}/{name}" if folder else name
        if name == ".dvc":
            return None if folder and mode == _TREE else ()  # a project of its own
        if mode == _TREE:
            try:
                return tuple(self._walk(one.hex(), path, depth + 1))
            except _Endless:
                raise
            except _NotPlain:
                return None
        if not mode.startswith(b"100"):
            return ()
        if name == ".dvcignore" or name.endswith(".dvc"):
            self._hold(folder)
            return _added(path, self._texts.get(one.hex()))
        return None if name in ("dvc.yaml", "dvc.lock") else ()

    def _hold(self, folder: str) -> None:
        while folder and folder not in self._holders:
            self._holders.add(folder)
            folder = folder.rpartition("/")[0]

    def _whole(self, outputs: list[Output]) -> Added:
        outputs.sort(key=_path_of)
        paths = {*map(_path_of, outputs)}
        if not len(paths) == len(outputs) <= MAX_FILES or not self._holders.isdisjoint(paths):
            raise _NotPlain  # two of one path, too many, or a metafile in a tracked folder
        return tuple(outputs)


def _added(path: str, text: GitObject | None) -> Added | None:
    if text is None or text.data is None:
        return None
    if path.endswith(".dvcignore"):
        return None if has_rules(text.data) else ()
    try:
        return parse_metafile(text.data, path)
    except ModelkeepError:
        return None
