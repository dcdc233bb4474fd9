"""Temporary files: how they are named, whose they are, and when they are a killed program's leftovers.

Knows file names and times only; how a file is written is core.durable's.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import os
import stat
import time
from collections.abc import Iterator

from modelkeep.core.patterns import pattern

#: A temporary file untouched for this long (seconds) belongs to a program that was killed.
STALE = 3600.0
_TEMP = pattern(r"\.[A-Za-z0-9_-]{22}\.tmp")


def temp_name() -> str:
    """A name in the form DVC's own clean-up recognises: a dot, 22 URL-safe characters, `.tmp`."""
    return f".{base64.urlsafe_b64encode(os.urandom(16)).rstrip(b'=').decode()}.tmp"


def is_temp_name(name: str) -> bool:
    """Whether a file of this name is one of ours that is not finished, or DVC's."""
    return name[:1] == "." and _TEMP.fullmatch(name) is not None


def sweep(folder: str, older: float = STALE) -> int:
    """Remove the temporary files that killed programs left directly in `folder`, and return how many.

    Those younger than `older` seconds may belong to somebody at work, and stay. Raises nothing.
    """
    removed = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not is_temp_name(entry.name):
                continue
            with contextlib.suppress(OSError):
                facts = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(facts.st_mode) and time.time() - facts.st_mtime >= older:
                    os.unlink(entry.path)
                    removed += 1
    return removed


def left_in(folder: str) -> tuple[int, int]:
    """How many temporary files older than STALE lie directly in `folder`, and their bytes. Raises nothing."""
    files = size = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMP.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    facts = entry.stat(follow_symlinks=False)
                    if time.time() - facts.st_mtime >= STALE:
                        files, size = files + 1, size + facts.st_size
    return files, size


@contextlib.contextmanager
def flocked(folder: str, *, alone: bool) -> Iterator[bool]:
    """Hold a lock on `folder` itself, shared (waiting a moment for it) or `alone` (or not at all); yields
    whether it is held. Who stages files in a folder shares it; who sweeps young ones must have it alone.

    The system frees it when the program ends, however it ends. Where folders cannot be locked, it is not had.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield False
        return
    fd = -1
    try:
        try:
            fd = os.open(folder, os.O_RDONLY)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
            held = True
        except OSError:
            held = False
        yield held
    finally:
        if fd >= 0:
            os.close(fd)


@functools.cache
def sweep_once(folder: str) -> None:
    """What a kill left is from before this program began, so one look at each folder is enough."""
    sweep(folder)
