"""Copies the content of one open file into another while hashing it, by a clone where the disk can.

Knows descriptors and bytes only. Runs without the interpreter lock for all but a few instructions per MiB.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from modelkeep.core.durable import write_all
from modelkeep.core.engine.hashing import CHUNK

if TYPE_CHECKING:
    from concurrent.futures import Future

#: From this size on a clone is tried: for small files a copy is quicker, because cloning flushes them first.
CLONE_FROM = 4 << 20
#: From this size on, hashing one piece and writing the next overlap.
OVERLAP_FROM = 64 << 20
#: Bytes. Up to this size a file is read at once.
SMALL = 1 << 20
_FICLONE = 0x40049409
_CANNOT = {errno.EOPNOTSUPP, errno.EXDEV, errno.ENOTTY, errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EBADF}

Report = Callable[[int], None]


def copy_hashing(source: int, target: int, size: int, report: Report) -> tuple[str, int]:
    """Fill `target` with `source`, both open at their start; return the MD5 and number of the bytes stored.

    What is hashed is what is stored, also if somebody writes to the source meanwhile. `report` gets the bytes
    of every piece and may raise to stop.
    """
    if size >= CLONE_FROM and clone(source, target):
        return _hash(target, report)
    if size >= OVERLAP_FROM:
        return _copy_overlapped(source, target, report)
    digest, total = hashlib.md5(usedforsecurity=False), 0
    part = min(CHUNK, size + 1)  # one more than there should be, to see the end without asking again
    while chunk := os.read(source, part):
        digest.update(chunk)
        write_all(target, chunk)
        total += len(chunk)
        report(len(chunk))
        if len(chunk) < part and total == size:
            break  # the end, most likely; the caller looks at the file again afterwards
    return digest.hexdigest(), total


def read_small(file: int, size: int) -> bytes:
    """The content of an open file that has `size` bytes; one byte more, if there is any, shows that it has grown."""
    data = os.read(file, size + 1)
    while len(data) < size and (more := os.read(file, size + 1 - len(data))):
        data += more
    return data


def _hash(file: int, report: Report) -> tuple[str, int]:
    digest, total = hashlib.md5(usedforsecurity=False), 0
    while chunk := os.read(file, CHUNK):
        digest.update(chunk)
        total += len(chunk)
        report(len(chunk))
    return digest.hexdigest(), total


def _copy_overlapped(source: int, target: int, report: Report) -> tuple[str, int]:
    from concurrent.futures import ThreadPoolExecutor

    digest, total = hashlib.md5(usedforsecurity=False), 0
    hashing: Future[None] | None = None
    with ThreadPoolExecutor(1) as hasher:
        while chunk := os.read(source, CHUNK):
            if hashing is not None:
                hashing.result()
            hashing = hasher.submit(digest.update, chunk)
            write_all(target, chunk)
            total += len(chunk)
            report(len(chunk))
    return digest.hexdigest(), total


def clone(source: int, target: int) -> bool:
    """Let `target` share the blocks of `source` (copy on write); False where the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True
