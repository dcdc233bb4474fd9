"""Which objects lie in a cache that nothing kept needs: looking only. Knows names, not what names them.

For hundred thousands of objects: folders are listed without a look at each file, and the names that are kept
are sets of bytes. Whatever does not bear the exact name of an object, in the place of one, is not seen at all.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from modelkeep.core.errors import StoreFailed
from modelkeep.core.nouns import dataclass, field
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import ObjectId

#: Seconds. A temporary file that nobody wrote to for so long belongs to nobody at work.
TEMP_AGE = 86400.0
OBJECTS = "files/md5"
_FOLDERS = tuple(f"{number:02x}" for number in range(256))
_OBJECT = re.compile(rb"[0-9a-f]{30}(?:\.dir)?").fullmatch
#: DVC puts the name of an object before it while it makes sure of a download.
_TEMP = re.compile(rb"(?:[0-9a-f]{30}(?:\.dir)?)?\.[A-Za-z0-9_-]{22}\.tmp").fullmatch
Sizes = dict[str, int]


class Kept:
    """The names of objects that stay, in both layouts. Grows only."""

    def __init__(self) -> None:
        self.current: set[bytes] = set()
        self.legacy: set[bytes] = set()

    def add(self, oid: ObjectId) -> None:
        """This one stays."""
        (self.legacy if oid.legacy else self.current).add(oid.name.encode())

    def add_files(self, hashes: Iterable[str], *, legacy: bool = False) -> None:
        """These objects of files stay."""
        (self.legacy if legacy else self.current).update(map(str.encode, hashes))

    def has_key(self, key: str) -> bool:
        """Whether the object under `key` of a store stays."""
        bare = key.removeprefix(f"{OBJECTS}/")
        names = self.legacy if bare == key else self.current
        return bare.replace("/", "", 1).encode() in names


@dataclass(slots=True)
class Found:
    """What a look at a cache found: `garbage` and old temporary files (`temps`), by key with their sizes; how
    many objects stay; and how many garbage objects are too `young` to be judged."""

    garbage: Sizes = field(default_factory=dict)
    temps: Sizes = field(default_factory=dict)
    staying: int = 0
    young: int = 0


def look(root: str, kept: Kept, progress: Progress = SILENT, *, grace: float = 0.0) -> Found:
    """Look through the cache in the folder `root`. What came less than `grace` seconds ago is young.

    Raises StoreFailed for a folder that cannot be read, Cancelled.
    """
    found = Found()
    oldest = time.time() - grace if grace else None
    for top, names in ((OBJECTS, kept.current), ("", kept.legacy)):
        if not _is_real_folder(os.path.join(root, top)):
            continue
        for folder in _FOLDERS:
            progress.check()
            key = f"{top}/{folder}" if top else folder
            _look_into(root, key, folder.encode(), names, found, oldest)
        if top:
            for entry in _entries(os.path.join(root, top)):
                _take_temp(top, entry, found)
    return found


def _look_into(
    root: str, key: str, start: bytes, names: set[bytes], found: Found, oldest: float | None
) -> None:
    place = os.path.join(root, key)
    for entry in _entries(place):
        if start + entry.name in names:
            found.staying += 1
        elif _OBJECT(entry.name):
            if entry.is_dir(follow_symlinks=False):
                continue
            with suppress(FileNotFoundError):
                facts = entry.stat(follow_symlinks=False)
                if oldest is not None and facts.st_ctime > oldest:
                    found.young += 1
                elif stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode):
                    found.garbage[f"{key}/{entry.name.decode()}"] = facts.st_size
        else:
            _take_temp(key, entry, found)


def _take_temp(folder: str, entry: os.DirEntry[bytes], found: Found) -> None:
    if not entry.name.endswith(b".tmp") or not _TEMP(entry.name):
        return
    with suppress(FileNotFoundError):
        facts = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(facts.st_mode) and time.time() - facts.st_mtime >= TEMP_AGE:
            found.temps[f"{folder}/{entry.name.decode()}"] = facts.st_size


def _entries(place: str) -> Iterator[os.DirEntry[bytes]]:
    """What is in a folder; nothing in one that is missing, or is a link to somewhere else."""
    try:
        if not stat.S_ISDIR(os.lstat(place).st_mode):
            return
        with os.scandir(os.fsencode(place)) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _unreadable(place, error) from error


def _unreadable(place: str, error: OSError) -> StoreFailed:
    return StoreFailed(f"{place} could not be read: {error.strerror or error}.", hint="Check who owns it.")


def _is_real_folder(place: str) -> bool:
    """Whether there is a folder, and neither it nor `files` above it is a link (the cache itself may be)."""
    above = os.path.dirname(place)
    return os.path.isdir(place) and not (os.path.basename(above) == "files" and os.path.islink(above))


def linked(place: str, root: str) -> Iterator[str]:
    """The keys of the objects of the cache in `root` that symbolic links at or beneath `place` lead to.

    The data itself may be such links (`cache.type symlink`): without the object it would be gone.
    """
    tops = {root, os.path.realpath(root)}
    if os.path.islink(place):
        yield from _target(place, tops)
        return
    folders = [place]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    yield from _target(entry.path, tops)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)


def _target(link: str, tops: Iterable[str]) -> Iterator[str]:
    with suppress(OSError):
        target = os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link)))
        for top in tops:
            if target.startswith(top + os.sep):
                yield os.path.relpath(target, top).replace(os.sep, "/")
