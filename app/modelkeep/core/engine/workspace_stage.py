"""Writes the files of a checkout where nobody looks yet: outside the data, on its file system, verified and durable.

A folder that does not exist yet is staged whole, so that one rename puts it into place with all its files. Knows the
plan's placings and the cache; nothing of outputs, and changes nothing outside its folder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from modelkeep.core.durable import MANY, open_new, sync_file, sync_file_system, sync_folder
from modelkeep.core.engine.cache_link import Links
from modelkeep.core.engine.statmemory import RACY_NS
from modelkeep.core.engine.workspace_checkout import Placing
from modelkeep.core.engine.workspace_site import Site
from modelkeep.core.errors import CorruptObject
from modelkeep.core.paths import Tree, visible
from modelkeep.core.progress import Progress

#: Later changes to a file show in its times once this much time (seconds) has passed: Linux ticks at 4–10 ms.
_TICK = 0.02
#: In a folder with a longer path the files are staged by themselves: the way to the stage makes paths longer.
_LONG = 2000


class Written(NamedTuple):
    """A file of the stage, and what the system said of it when its last byte was written."""

    place: str
    one: Placing
    facts: os.stat_result


class Stage:
    """The staged files of one checkout into `tree`, in the folder `folder`. Use once; for one thread."""

    def __init__(self, site: Site, tree: Tree, folder: str, links: Links, progress: Progress) -> None:
        self.folder = folder
        #: The folders that are staged whole: where each belongs, and where it is staged.
        self.whole: dict[str, str] = {}
        #: The other files: where each is staged, and what it is to become.
        self.single: list[tuple[str, Placing]] = []
        self._site = site
        self._root = os.path.join(tree.root, "")
        self._links = links
        self._progress = progress
        self._written: list[Written] = []
        self._tops: dict[str, str] = {"": ""}
        self._places: dict[str, str] = {}

    def fill(self, placings: Sequence[Placing], modes: Mapping[str, int]) -> None:
        """Stage all of `placings` durably; `modes` are those of files that have one of their own.

        Raises CorruptObject for all damaged objects together, NotFound, OSError, Cancelled.
        """
        damaged: list[tuple[Placing, CorruptObject]] = []
        for one in placings:
            place = self._place_for(one)
            try:
                own_mode = one.is_exec or one.path in modes  # which a link would give to the object
                if own_mode or not self._links.make(one.oid, place):
                    self._write(place, one, modes.get(one.path))
            except CorruptObject as error:
                damaged.append((one, error))
            self._progress.advance(files=1)
        if damaged:
            raise _all_damaged(damaged)
        self._sync()
        time.sleep(_TICK)

    def _place_for(self, one: Placing) -> str:
        folder, _, name = one.path.rpartition("/")
        top = self._tops.get(folder)
        if top is None:
            top = self._top(folder)
        if not top:
            place = f"{self.folder}/{len(self.single)}"
            self.single.append((place, one))
            return place
        return f"{self._places.get(folder) or self._made(folder, top)}/{name}"

    def _top(self, folder: str) -> str:
        """The highest of `folder` and the folders above it that does not exist, "" if all do."""
        if folder not in self._tops:
            above = self._top(folder.rpartition("/")[0])
            fits = len(folder) < _LONG and not os.path.lexists(self._root + folder)
            self._tops[folder] = above or (folder if fits else "")
        return self._tops[folder]

    def _made(self, folder: str, top: str) -> str:
        """The folder of the stage that becomes `folder`."""
        if folder not in self._places:
            if folder == top:
                place = self.whole[top] = f"{self.folder}/whole{len(self.whole)}"
            else:
                above, _, name = folder.rpartition("/")
                place = f"{self._made(above, top)}/{name}"
            os.mkdir(place)
            self._places[folder] = place
        return self._places[folder]

    def _write(self, place: str, one: Placing, mode: int | None) -> None:
        file = open_new(place, 0o766 if one.is_exec else 0o666)  # the bit that DVC sets
        try:
            self._site.cache.copy_out(one.oid, file, self._progress)
            if mode is not None:
                os.chmod(file if os.chmod in os.supports_fd else place, mode)
            self._written.append(Written(place, one, os.fstat(file)))
        finally:
            os.close(file)  # what is left by an error goes with the whole stage

    def _sync(self) -> None:
        folders = list(self._places.values())
        if len(self._written) + len(folders) > MANY and sync_file_system(self.folder):
            return
        for written in self._written:
            sync_file(written.place)
        for folder in reversed(folders):  # what is inside first
            sync_folder(folder)

    def remember(self, tree: Tree) -> None:
        """Remember the hashes of what was written and is in `tree` now: nobody saw the bytes before they were hashed.

        Nobody could change a file before it had its name, and a later change shows in its times.
        """
        memory, later = self._site.memory, time.time_ns() + RACY_NS
        single = {place for place, _ in self.single}
        for place, one, facts in self._written:
            if one.oid.legacy:
                continue
            if place in single:  # its rename shows in its times as well
                try:
                    now = os.lstat(os.path.join(tree.root, one.path))
                except OSError:
                    continue
                if _content(now) != _content(facts):
                    continue
                facts = now
            memory.remember(facts, one.oid.hash, read_at=later)
        self._links.remember()
        memory.save()


def _content(facts: os.stat_result) -> tuple[int, int, int]:
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def _all_damaged(damaged: Sequence[tuple[Placing, CorruptObject]]) -> CorruptObject:
    """One error for all objects that were found to be wrong; they are in quarantine."""
    first, error = damaged[0]
    more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
    found = CorruptObject(
        error.name,
        error.where,
        hint=f"It was moved away and nothing was changed. Fetch {visible(first.path)}{more} again.",
    )
    found.paths = tuple(one.path for one, _ in damaged)
    return found
