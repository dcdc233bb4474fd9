"""Where a clean-up of the cache puts objects until they are deleted for good, and how they come back.

A clean-up renames objects from the cache into a folder of its own, under the keys they had: manifests first, so
that no manifest is ever left without its files, and back in the other order. Knows nothing of why.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from modelkeep.core.durable import store_failed, sync_file_system, sync_folder, write_file
from modelkeep.core.engine.garbage import Sizes
from modelkeep.core.engine.objectstore import object_of
from modelkeep.core.errors import NotFound, Refused, StoreFailed, UnsafePath
from modelkeep.core.leftovers import sweep
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import Tree
from modelkeep.core.progress import SILENT, Progress

_RECORD = "gc.json"
_NAME = re.compile(r"gc-(\d{8}T\d{6})Z(?:-\d+)?")
_FORM = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class Pile:
    """What one clean-up put away: the name of its folder, and when. `state` is "moving" while it is not done,
    "done" after, "back" once it was undone."""

    name: str
    when: datetime
    state: str
    cache: str


class Yard:
    """The piles of one project. `place` is their folder, on the same file system as the cache in `cache`.

    Write from one thread, which holds the project's lock.
    """

    def __init__(self, place: Path, cache: Path) -> None:
        self.place = place
        self._own = Tree(place, system=True)
        self._cache = Tree(cache)

    def piles(self) -> tuple[Pile, ...]:
        """All piles, the last one first. Links and what bears another name are not ours."""
        try:
            entries = list(os.scandir(self.place))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        named = [
            one.name for one in entries if _NAME.fullmatch(one.name) and one.is_dir(follow_symlinks=False)
        ]
        return tuple(self._pile(name) for name in sorted(named, reverse=True))

    def _pile(self, name: str) -> Pile:
        match = _NAME.fullmatch(name)
        assert match is not None
        when = datetime.strptime(match[1], _FORM).replace(tzinfo=UTC)
        try:
            record = json.loads(self._own.read(f"{name}/{_RECORD}"))
            return Pile(name, when, str(record["state"]), str(record["cache"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError, UnsafePath):
            return Pile(name, when, "", "")

    # -- away --------------------------------------------------------------------------------------------

    def put(self, keys: Iterable[str], scope: str, progress: Progress = SILENT) -> tuple[str, int]:
        """Move the objects under `keys` out of the cache; return the pile's name and how many there were.

        One that was interrupted is gone on with, so that one undo brings back all. Durable when this returns.
        """
        name = self._open(scope)
        count = 0
        for group in _manifests_first(keys):
            for folder, names in _by_folder(group):
                progress.check()
                count += self._move(self._cache, folder, self._own, f"{name}/{folder}", names)
                progress.advance(files=len(names))
            self._settle(name, group)
        self._write(name, "done", scope)
        return name, count

    def _open(self, scope: str) -> str:
        for pile in self.piles()[:1]:
            young = datetime.now(UTC) - pile.when < timedelta(days=1)  # what joins it is deleted with it
            if pile.state == "moving" and pile.cache == str(self._cache.root) and young:
                return pile.name
        base = f"gc-{datetime.now(UTC).strftime(_FORM)}Z"
        taken = {pile.name for pile in self.piles()}
        name = next(one for one in (base, *(f"{base}-{n}" for n in range(2, 1000))) if one not in taken)
        self.place.mkdir(parents=True, exist_ok=True)
        self._write(name, "moving", scope)
        return name

    def _write(self, name: str, state: str, scope: str) -> None:
        record = {"state": state, "cache": str(self._cache.root), "scope": scope}
        write_file(self._own, f"{name}/{_RECORD}", json.dumps(record).encode())

    # -- back --------------------------------------------------------------------------------------------

    def undo(self, progress: Progress = SILENT) -> tuple[Pile, Sizes]:
        """Put the last pile back; return it, and the objects that are in the cache again with their sizes.

        What is in the cache by now stays there. Raises NotFound if there is no pile, Refused for that of
        another cache.
        """
        pile = next((one for one in self.piles() if one.state != "back" and self.content(one.name)), None)
        if pile is None:
            raise NotFound("Nothing that was cleaned up is still kept.", hint="modelkeep pull fetches data.")
        if pile.cache != str(self._cache.root):
            raise Refused(
                f"What the clean-up {pile.name} put away does not belong into this cache.",
                detail=f"It came from: {pile.cache or 'nobody knows where'}",
                hint="Set cache.dir as it was, and try again.",
            )
        sizes = self.content(pile.name)
        back: Sizes = {}
        for group in reversed(_manifests_first(sizes)):
            absent = [key for folder, names in _by_folder(group) for key in self._absent(folder, names)]
            for folder, names in _by_folder(absent):
                self._move(self._own, f"{pile.name}/{folder}", self._cache, folder, names)
                progress.advance(files=len(names))
            back |= {key: sizes[key] for key in absent}
            self._settle(pile.name, absent)
        self._write(pile.name, "back", "")
        return pile, back

    def _absent(self, folder: str, names: Iterable[str]) -> Iterator[str]:
        """The keys of those of `names` that are not in this folder of the cache."""
        try:
            there = set(os.listdir(self._cache.root / folder))
        except (FileNotFoundError, NotADirectoryError):
            there = set()
        return (f"{folder}/{name}" for name in names if name not in there)

    def content(self, name: str) -> Sizes:
        """The objects in a pile, by key, with their sizes."""
        top = os.path.join(self.place, name)
        return {key: size for key, size in _files(top) if object_of(key) is not None}

    # -- for good ----------------------------------------------------------------------------------------

    def expired(self, days: float) -> tuple[Pile, ...]:
        """The piles older than this; and those of which nothing is left since they were put back."""
        limit = datetime.now(UTC) - timedelta(days=days)
        back = {one.name for one in self.piles() if one.state == "back" and not self.content(one.name)}
        return tuple(one for one in self.piles() if one.when <= limit or one.name in back)

    def delete(self, name: str, progress: Progress = SILENT) -> Sizes:
        """Delete a pile for good, and return what it held. Only objects are deleted, manifests first, and the
        folders that are empty then."""
        held = self.content(name)
        for group in _manifests_first(held):
            for key in group:
                progress.advance(files=1)
                self._own.unlink(f"{name}/{key}")
        for folder in sorted({key.rpartition("/")[0] for key in held}):
            self._own.rmdir(f"{name}/{folder}")
        for folder in ("files/md5", "files"):
            self._own.rmdir(f"{name}/{folder}")
        sweep(os.path.join(self.place, name), 0)
        self._own.unlink(f"{name}/{_RECORD}")
        self._own.rmdir(name)
        return held

    # -- moving ------------------------------------------------------------------------------------------

    def _move(self, source: Tree, old: str, target: Tree, new: str, names: list[str]) -> int:
        """Rename these files from one folder to another; return how many there were. Follows no link."""
        moved = 0
        try:
            place = target.parent(f"{new}/x", create=True, synced=False)  # `_settle` syncs it
            with source.parent(f"{old}/x") as (a, x), place as (b, y):
                for name in names:
                    with suppress(FileNotFoundError):
                        os.rename(_at(a, x, name), _at(b, y, name), src_dir_fd=a, dst_dir_fd=b)
                        moved += 1
        except FileNotFoundError:
            return moved
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise StoreFailed(
                    f"{self.place} is not on the disk of the cache, so nothing can be put away there."
                ) from error
            raise store_failed(error, new) from error
        return moved

    def _settle(self, name: str, keys: Iterable[str]) -> None:
        """Make what was moved durable: the folders on both sides."""
        folders = {key.rpartition("/")[0] for key in keys}
        if not folders or (len(folders) > 8 and sync_file_system(str(self.place))):
            return
        above = {"files/md5", "files", ""}
        for folder in sorted(folders | above, reverse=True):
            for place in (self.place / name / folder, self._cache.root / folder):
                with suppress(FileNotFoundError):
                    sync_folder(str(place))


def _at(folder: int | None, example: str, name: str) -> str:
    """A name for the os functions, as `Tree.parent` gives them."""
    return name if folder is not None else os.path.join(os.path.dirname(example), name)


def _manifests_first(keys: Iterable[str]) -> list[list[str]]:
    groups: tuple[list[str], list[str]] = ([], [])
    for key in sorted(keys):
        groups[not key.endswith(".dir")].append(key)
    return list(groups)


def _by_folder(keys: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    folder_of: Callable[[str], str] = lambda key: key.rpartition("/")[0]  # noqa: E731
    for folder, some in groupby(keys, folder_of):
        yield folder, [key.rpartition("/")[2] for key in some]


def _files(top: str) -> Iterator[tuple[str, int]]:
    """Every file beneath `top` by its relative path, with its size; follows no link."""
    folders = [""]
    while folders:
        folder = folders.pop()
        with suppress(FileNotFoundError), os.scandir(os.path.join(top, folder)) as entries:
            for entry in entries:
                key = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append(key)
                elif not stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode):
                    yield key, entry.stat(follow_symlinks=False).st_size
