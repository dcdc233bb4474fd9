"""What a place for data allows, tried out: look, make, write, rename, measure, and take it all away again.

A trial leaves nothing behind: it removes what it made, and only that, under names that every clean-up knows as
temporary. Knows no steps, no sentences for people and no project; where the place is on this machine, see below.
"""

from __future__ import annotations

import enum
import errno
import os
import queue
import stat
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

from modelkeep.core.errors import StoreFailed
from modelkeep.core.leftovers import temp_name
from modelkeep.core.progress import SILENT, Progress

T = TypeVar("T")
_SLICE = 0.1  # seconds between two looks at whether to go on
_MOMENT = 1.0
PATIENCE = 15.0  # seconds a mounted folder may take to answer


class Thing(enum.StrEnum):
    """What is found under a path."""

    FOLDER = "folder"
    OTHER = "other"
    NOTHING = "nothing"
    HIDDEN = "hidden"  # it may not be looked at


class Space(NamedTuple):
    """The file system of a place: bytes, how many more files it takes (None: any), whether it is read-only."""

    free: int
    total: int
    files: int | None
    is_read_only: bool


class Pace(NamedTuple):
    """How much went over the line, in how many seconds."""

    bytes: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.bytes / max(self.seconds, 1e-6)


class Obstacle(StoreFailed):
    """The place does not allow something. `reason` is one word: denied, missing, read_only, full, quota,
    no_answer, taken, no_rename, garbled, one_session, failed; `about` is the path, `detail` what the system said."""

    def __init__(self, reason: str, about: str, detail: str = "") -> None:
        super().__init__(f"{about}: {reason}.", detail=detail)
        self.reason = reason
        self.about = about


class Trial(ABC):
    """One trial in the folder `root`. For one thread; calls raise Obstacle, ConnectionLost or Cancelled."""

    #: Whether it is a ServerTrial, which can do more.
    on_server = False

    def __init__(self, root: str) -> None:
        self.root = root
        self._made: list[str] = []
        self._files: list[str] = []

    @abstractmethod
    def look(self, path: str) -> Thing:
        """What is at `path`, links followed."""

    @abstractmethod
    def can_list(self) -> bool:
        """Whether the names in the root may be read."""

    @abstractmethod
    def make(self, path: str) -> None:
        """Make the folder `path`; it is taken away again at the end."""

    @abstractmethod
    def write(self, data: bytes) -> str:
        """Write `data` into a new temporary file in the root, prove its size, and return its name."""

    @abstractmethod
    def rename(self, old: str, new: str) -> bool:
        """Rename a file of the trial to another one's name; False where the place cannot replace in one go."""

    @abstractmethod
    def space(self) -> Space | None:
        """The room there is, or None where the place does not say."""

    @abstractmethod
    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        """The sizes of those files beneath the root that exist."""

    @abstractmethod
    def clean_up(self, patience: float) -> bool:
        """Remove all that this trial made; False where something may be left. Raises nothing."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the place; raises nothing."""

    def parents(self, path: str) -> list[str]:
        """`path` and the folders above it, the nearest first, without the top itself."""
        found = []
        while path and path != os.path.dirname(path):
            found.append(path)
            path = os.path.dirname(path)
        return found

    def make_missing(self) -> list[str]:
        """Make the root and what is missing above it; returns what was made, the uppermost first."""
        missing: list[str] = []
        for folder in self.parents(self.root):
            found = self.look(folder)
            if found is Thing.FOLDER:
                break
            if found is not Thing.NOTHING:
                raise Obstacle("taken" if found is Thing.OTHER else "denied", folder)
            missing.insert(0, folder)
        for folder in missing:
            self.make(folder)
        return missing


class FolderTrial(Trial):
    """A trial in a folder of this machine, which may be a share that does not answer: no call waits for ever."""

    def __init__(self, root: str, progress: Progress = SILENT, patience: float = PATIENCE) -> None:
        super().__init__(root)
        self._progress = progress
        self._patience = patience
        self._hangs = False

    def look(self, path: str) -> Thing:
        def look() -> Thing:
            try:
                mode = os.stat(path).st_mode
            except (FileNotFoundError, NotADirectoryError):
                return Thing.NOTHING
            except PermissionError:
                return Thing.HIDDEN
            return Thing.FOLDER if stat.S_ISDIR(mode) else Thing.OTHER

        return self._soon(look, path)

    def can_list(self) -> bool:
        def look() -> bool:
            try:
                os.scandir(self.root).close()
            except PermissionError:
                return False
            return True

        return self._soon(look, self.root)

    def make(self, path: str) -> None:
        self._made.append(path)
        try:
            self._soon(lambda: os.mkdir(path), path)
        except Obstacle:
            self._made.remove(path)
            raise

    def write(self, data: bytes) -> str:
        name = temp_name()
        self._files.append(name)
        path = os.path.join(self.root, name)

        def write() -> int:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
                os.fsync(fd)  # a share or a quota may refuse only then
                return os.fstat(fd).st_size
            finally:
                os.close(fd)

        if self._soon(write, self.root) != len(data):
            raise Obstacle("failed", self.root, "The file is not as long as what was written.")
        return name

    def rename(self, old: str, new: str) -> bool:
        self._soon(lambda: os.replace(os.path.join(self.root, old), os.path.join(self.root, new)), self.root)
        self._files.remove(old)
        return True

    def space(self) -> Space | None:
        if not hasattr(os, "statvfs"):
            return self._windows_space()
        found = self._soon(lambda: os.statvfs(self.root), self.root)
        files = found.f_favail if found.f_files else None
        read_only = bool(found.f_flag & os.ST_RDONLY)
        return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, files, read_only)

    def _windows_space(self) -> Space:
        import shutil

        found = self._soon(lambda: shutil.disk_usage(self.root), self.root)
        return Space(found.free, found.total, None, False)

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}

        def look(some: Sequence[str]) -> None:
            for key in some:
                with suppress(FileNotFoundError, NotADirectoryError):
                    found[key] = os.stat(os.path.join(self.root, key)).st_size

        for start in range(0, len(keys), 500):
            self._progress.check()
            self._soon(lambda start=start: look(keys[start : start + 500]), self.root)  # type: ignore[misc]
        return found

    def clean_up(self, patience: float) -> bool:
        if self._hangs:
            return False
        is_clean = True
        for name in self._files:
            try:
                os.unlink(os.path.join(self.root, name))
            except FileNotFoundError:
                continue
            except OSError:
                is_clean = False
        for folder in reversed(self._made):
            try:
                os.rmdir(folder)
            except OSError:  # somebody uses it by now
                is_clean = False
        self._files, self._made = [], []
        return is_clean

    def close(self) -> None:
        return

    def _soon(self, call: Callable[[], T], about: str) -> T:
        """The result of a call to the operating system, which on a dead share never comes."""
        answers: queue.SimpleQueue[T | OSError] = queue.SimpleQueue()

        def work() -> None:
            try:
                answers.put(call())
            except OSError as error:
                answers.put(error)

        threading.Thread(target=work, name="try a folder", daemon=True).start()
        deadline = time.monotonic() + self._patience
        self._hangs = True
        while True:
            # After a cancel it gets a last moment, because what it makes has to be removed.
            with suppress(queue.Empty):
                answer = answers.get(timeout=_MOMENT if self._progress.is_cancelled else _SLICE)
                break
            self._progress.check()
            if time.monotonic() > deadline:
                raise Obstacle("no_answer", about)
        self._hangs = False
        if isinstance(answer, OSError):
            raise _obstacle(answer, about) from answer
        return answer


_REASONS = {
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.ENOENT: "missing",
    errno.EROFS: "read_only",
    errno.ENOSPC: "full",
    errno.EDQUOT: "quota",
    errno.ENOTDIR: "taken",
    errno.EEXIST: "taken",
}


def _obstacle(error: OSError, about: str) -> Obstacle:
    reason = _REASONS.get(error.errno or 0, "failed")
    return Obstacle(reason, about, error.strerror or str(error))
