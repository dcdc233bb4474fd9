"""One lock on one file, the way DVC takes it on every operating system. Knows nothing of projects.

On POSIX it is `flock` on the whole file (not `fcntl` records), on Windows one byte by `msvcrt`. The holder writes
" <pid>" into the file; the file itself stays for ever and its existence means nothing. The system frees the lock
when its holder dies.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from pathlib import Path

from modelkeep.core.durable import store_failed
from modelkeep.core.errors import UnsafePath
from modelkeep.core.paths import Tree


class FileLock:
    """A lock on the file `relpath` of `tree`. Each object is its own holder, also within one program."""

    def __init__(self, tree: Tree, relpath: str) -> None:
        self._tree = tree
        self._relpath = relpath
        self._file: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; never waits. Raises StoreFailed where the file cannot be opened."""
        try:
            with self._tree.parent(self._relpath, create=True) as (folder, name):
                flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
                file = os.open(name, flags, 0o666, dir_fd=folder)
        except OSError as error:
            raise store_failed(error, self._relpath) from error
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise UnsafePath(
                f"{self._relpath} is not a regular file.", hint="Remove it; locks are made anew."
            )
        if not _try_lock(file):
            os.close(file)
            return False
        os.write(file, f" {os.getpid()}\n".encode())
        os.ftruncate(file, os.lseek(file, 0, os.SEEK_CUR))
        self._file = file
        return True

    def release(self) -> None:
        """Free the lock."""
        if self._file is not None:
            _unlock(self._file)
            os.close(self._file)
            self._file = None

    def holder(self) -> int | None:
        """The process that last took the lock, as far as the file says."""
        with contextlib.suppress(OSError, ValueError):
            return int(self._tree.read(self._relpath).decode("ascii").strip() or "x")
        return None


if sys.platform == "win32":  # pragma: no cover - not run on the machines that test
    import msvcrt

    def _try_lock(file: int) -> bool:
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: int) -> None:
        os.lseek(file, 0, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

    def process_exists(pid: int) -> bool:
        """Whether a process with this id runs on this machine."""
        import ctypes

        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        if handle:
            kernel.CloseHandle(handle)
        return bool(handle)

else:
    import fcntl

    def _try_lock(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)

    def process_exists(pid: int) -> bool:
        """Whether a process with this id runs on this machine."""
        if pid <= 0:
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except (PermissionError, OverflowError):
            return pid < 1 << 31
        return True


def process_name(pid: int) -> str:
    """The command line of a process, or "" where it cannot be known."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    if sys.platform == "darwin":
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            command = ["/bin/ps", "-o", "command=", "-p", str(pid)]
            shown = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)
            return shown.stdout.strip()
    return ""
