"""Hands objects out as links, for users whose own config asks for it (`cache.type`, dvc-format §4.2).

The kinds are tried in the user's order; the first that the disk can do is used, and a copy is always right. An
object is read and verified before anything links to it, unless we did so before and the file is untouched since: a
link makes no second copy of its bytes. Knows the cache and one folder; nothing of outputs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from pathlib import Path

from modelkeep.core.engine.cache import Cache
from modelkeep.core.engine.cache_copy import clone
from modelkeep.core.engine.statmemory import RACY_NS, StatMemory
from modelkeep.core.leftovers import temp_name
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import ObjectId

DEFAULT = ("reflink", "copy")
#: The kinds that take no space of their own, and may not be written to.
LINKED = ("hardlink", "symlink")
_KINDS = frozenset({"reflink", "hardlink", "symlink", "copy"})
_CANNOT = {
    errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.ENOTTY, errno.ENOSYS, errno.EINVAL, errno.EAGAIN,
    errno.EMLINK,
}  # fmt: skip


def link_types(setting: str | None) -> tuple[str, ...]:
    """The kinds of links that a `cache.type` names, in its order; DVC's default for none."""
    named = (part.strip().lower() for part in (setting or "").split(","))
    return tuple(part for part in named if part in _KINDS) or DEFAULT


class Links:
    """Puts links to objects into one folder, as far as `types` and the disk allow. For one thread."""

    def __init__(
        self, cache: Cache, types: tuple[str, ...], memory: StatMemory, progress: Progress = SILENT
    ) -> None:
        self._cache = cache
        self._types = list(types[: types.index("copy")] if "copy" in types else types)
        self._memory = memory
        self._progress = progress
        self._linked: list[tuple[str, ObjectId, os.stat_result]] = []

    def make(self, oid: ObjectId, place: str) -> bool:
        """Make `place` a link to the object; False where a copy is to be made instead.

        Raises NotFound, and CorruptObject for wrong bytes, which are then in quarantine. Reports bytes.
        """
        while self._types and (kind := self._usable(os.path.dirname(place))) is not None:
            path = self._cache.where(oid)
            try:
                facts = os.lstat(path)
                if not stat.S_ISREG(facts.st_mode) or (kind == "hardlink" and not facts.st_size):
                    return False  # an empty file would be shared by everything that is empty
                self._verify(oid, path, facts)
                _link(kind, path, place)
            except FileNotFoundError:
                raise self._cache.missing(oid) from None
            except OSError as error:
                if error.errno not in _CANNOT:
                    raise
                self._types.remove(kind)
                continue
            if stat.S_IMODE(facts.st_mode) != 0o444:
                with contextlib.suppress(OSError):  # somebody else's in a shared cache; DVC lives with it too
                    os.chmod(path, 0o444)
            return True
        return False

    def _verify(self, oid: ObjectId, path: str, facts: os.stat_result) -> None:
        """Make sure that the object's bytes are right. What was read before need not be read again: any write since
        then would show in the file's times, which only the system sets, and a link brings no byte anywhere else."""
        began = time.time_ns()
        is_known = self._memory.known(facts) == oid.hash
        if is_known:
            self._progress.advance(facts.st_size)
        else:
            self._cache.check(oid, self._progress)
        if is_known or (not oid.legacy and began - facts.st_mtime_ns >= RACY_NS):
            self._linked.append((path, oid, facts))

    def remember(self) -> None:
        """Remember what was verified as it is now, after links were made and removed: that shows in its times."""
        later = time.time_ns() + RACY_NS
        for path, oid, facts in self._linked:
            with contextlib.suppress(OSError):
                now = os.lstat(path)
                if (now.st_ino, now.st_size, now.st_mtime_ns) == (
                    facts.st_ino,
                    facts.st_size,
                    facts.st_mtime_ns,
                ):
                    self._memory.remember(now, oid.hash, read_at=later)
        self._linked = []

    def _usable(self, folder: str) -> str | None:
        """The first kind that is a link; None once a clone comes first and the disk can make one."""
        if self._types[0] != "reflink":
            return self._types[0]
        if _can_clone(folder):
            self._types.clear()
            return None
        self._types.pop(0)
        return self._types[0] if self._types else None


def _link(kind: str, path: str, place: str) -> None:
    if kind == "hardlink":
        os.link(path, place)
    else:
        os.symlink(os.path.abspath(path), place)


def _can_clone(folder: str) -> bool:
    """Whether two files in `folder` can share their blocks. The object's own disk is the copy's business."""
    names = [os.path.join(folder, temp_name()) for _ in range(2)]
    files: list[int] = []
    try:
        files += [os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600) for name in names]
        os.write(files[0], b"probe")
        return clone(*files)
    finally:
        for file in files:
            os.close(file)
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)


def is_linked(kind: str, path: str, target: Path) -> bool:
    """Whether the workspace file at `path` is already what `kind` would make of the object at `target`."""
    if kind == "symlink":
        return os.path.islink(path) and os.path.realpath(path) == os.path.realpath(target)
    facts = os.lstat(path)
    if stat.S_ISLNK(facts.st_mode):
        return False
    if kind == "hardlink":
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(facts, os.lstat(target)) or not facts.st_size
        return True
    return facts.st_nlink == 1
