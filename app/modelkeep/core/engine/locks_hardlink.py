"""One lock by hard links, the way DVC takes it with `core.hardlink_lock` (dvc-format §4.4). Knows no projects.

For file systems whose flock cannot be relied on (some network disks). The holder's claim file lies beside the
lock and has a second name, the lock's; both go when it is done. Nothing tells whether a holder is still alive:
its lock ends only in a year, or when somebody removes it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time

from modelkeep.core.durable import store_failed
from modelkeep.core.errors import Busy
from modelkeep.core.paths import Tree

#: DVC gives its locks a year, in seconds: what is younger than that is never broken.
LIFETIME = 365 * 24 * 3600


class HardlinkLock:
    """A lock with the file `relpath` of `tree` as its name. Each object is its own holder."""

    def __init__(self, tree: Tree, relpath: str) -> None:
        self._tree = tree
        self._relpath = relpath
        import socket  # here, because most projects never take such a lock

        folder = relpath.rpartition("/")[0]
        who = f"{tree.root / relpath}|{socket.gethostname()}|{os.getpid()}|{os.urandom(8).hex()}"
        name = hashlib.md5(who.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()
        self._claim = f"{folder}/{name}.lock"
        self._held = False

    def acquire(self) -> bool:
        """Take the lock if it is free; never waits. Raises StoreFailed where no hard links can be made."""
        try:
            with self._tree.parent(self._claim, create=True) as (folder, _):
                self._write(folder)
                self._held = self._link(folder)
                if self._held:
                    self._touch(folder)
                else:
                    os.unlink(self._name(folder, self._claim), dir_fd=folder)
        except OSError as error:
            raise store_failed(error, self._relpath) from error
        return self._held

    def release(self) -> None:
        """Free the lock, unless somebody else has taken it away meanwhile."""
        if not self._held:
            return
        self._held = False
        with contextlib.suppress(FileNotFoundError), self._tree.parent(self._claim) as (folder, _):
            claim, lock = self._name(folder, self._claim), self._name(folder, self._relpath)
            with contextlib.suppress(FileNotFoundError):
                mine = os.stat(claim, dir_fd=folder, follow_symlinks=False)
                if os.path.samestat(mine, os.stat(lock, dir_fd=folder, follow_symlinks=False)):
                    os.unlink(lock, dir_fd=folder)
            os.unlink(claim, dir_fd=folder)

    def busy(self) -> Busy:
        """The error that says that somebody has the lock, and how to get rid of one that was left behind."""
        return Busy(
            "Another program is working on this project.",
            detail=f"{self._relpath} exists (core.hardlink_lock).",
            hint="Wait until it is done. If no program works on the project any more, on any machine: "
            f"rm {self._relpath}",
        )

    def _write(self, folder: int | None) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        file = os.open(self._name(folder, self._claim), flags, 0o666, dir_fd=folder)
        try:
            os.write(file, os.fsencode(self._tree.root / self._claim))
        finally:
            os.close(file)
        self._touch(folder)

    def _touch(self, folder: int | None) -> None:
        until = time.time() + LIFETIME
        os.utime(self._name(folder, self._claim), (until, until), dir_fd=folder)

    def _link(self, folder: int | None) -> bool:
        claim, lock = self._name(folder, self._claim), self._name(folder, self._relpath)
        try:
            os.link(claim, lock, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOENT, errno.ESTALE):
                os.unlink(claim, dir_fd=folder)
                raise
            # A server may say no to a link that it made: the number of names tells.
            return os.stat(claim, dir_fd=folder).st_nlink == 2
        return True

    def _name(self, folder: int | None, relpath: str) -> str:
        return relpath.rpartition("/")[2] if folder is not None else os.fspath(self._tree.root / relpath)
