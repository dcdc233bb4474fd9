"""Remembers the hashes of files that have not been touched since. Knows no objects, outputs or metafiles.

Only a help: nothing a user relies on ("saved", "backed up") is ever said on its word (safety rule R4). Keyed by
what the file system says of a file (inode, modification and change time, size), so a renamed or replaced
file is never mistaken. The whole memory is read with one SELECT and written with one executemany.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: A file changed within this many ns before it was read may change again within the same clock tick.
RACY_NS = 2_000_000_000
_VERSION = 1
_TABLE = """CREATE TABLE IF NOT EXISTS known (inode INTEGER, legacy INTEGER, mtime INTEGER, ctime INTEGER,
 size INTEGER, hash TEXT, PRIMARY KEY (inode, legacy)) WITHOUT ROWID"""


_Known = tuple[
    int, int, int, str
]  # mtime, ctime, size, hash; a plain tuple, because there are hundred thousands


class StatMemory:
    """The remembered hashes of one project. `known` and `remember` may be called from any thread."""

    def __init__(self, path: Path) -> None:
        """The memory at `path`, loaded when it is asked first; one that is missing or damaged starts empty."""
        self._path = path
        self._loaded: dict[tuple[int, int], _Known] | None = None
        self._fresh: dict[tuple[int, int], _Known] = {}
        self._loading = threading.Lock()

    @property
    def _known(self) -> dict[tuple[int, int], _Known]:
        if self._loaded is None:
            with self._loading:
                if self._loaded is None:
                    self._loaded = self._load()
        return self._loaded

    def known(self, status: os.stat_result, *, legacy: bool = False) -> str | None:
        """The hash of the file with this status, if it was remembered and the file is untouched since."""
        known = self._known.get(_key(status, legacy))
        if known is None or known[:3] != (status.st_mtime_ns, status.st_ctime_ns, status.st_size):
            return None
        return known[3]

    def known_of(self, files: Mapping[str, Any], *, legacy: bool = False) -> dict[str, str]:
        """The hashes of those files that are known, by key; `facts` of each value is its status.

        The same as `known` for each, written out: a folder of 200,000 files asks once per file.
        """
        known, kind, found = self._known, int(legacy), {}
        for key, file in files.items():
            facts = file.facts
            inode = facts.st_ino
            one = known.get((inode if inode < 1 << 63 else inode - (1 << 64), kind))
            if (
                one is not None
                and one[0] == facts.st_mtime_ns
                and one[2] == facts.st_size
                and one[1] == facts.st_ctime_ns
            ):
                found[key] = one[3]
        return found

    def remember(
        self, status: os.stat_result, digest: str, *, read_at: int | None = None, legacy: bool = False
    ) -> None:
        """Remember that the file hashed to `digest`. `read_at` (ns, default now) is when reading began.

        `status` must have been the same before and after reading. A file touched less than two seconds
        before it was read is not remembered: a second change in that time could leave no trace.
        """
        began = time.time_ns() if read_at is None else read_at
        if began - max(status.st_mtime_ns, status.st_ctime_ns) < RACY_NS:
            return
        key = _key(status, legacy)
        entry = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, digest)
        self._known[key] = self._fresh[key] = entry

    def save(self) -> None:
        """Write what is new; where that is not possible, nothing is said."""
        fresh, self._fresh = self._fresh, {}
        if not fresh:
            return
        import sqlite3

        rows = [(*key, *entry) for key, entry in fresh.items()]
        try:
            self._write(rows)
        except (sqlite3.OperationalError, OSError):
            return  # busy, full or read-only: it costs only time
        except sqlite3.Error:
            self._forget_file()

    def _write(self, rows: list[tuple[int, int, int, int, int, str]]) -> None:
        import sqlite3

        self._path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(self._path, timeout=5)) as base, base:
            base.execute(_TABLE)
            base.execute(f"PRAGMA user_version = {_VERSION}")
            base.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?)", rows)

    def _load(self) -> dict[tuple[int, int], _Known]:
        if not self._path.is_file() or self._path.is_symlink():  # never another's database
            self._forget_file()
            return {}
        import sqlite3

        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=5)) as base:
                if base.execute("PRAGMA user_version").fetchone() != (_VERSION,):
                    raise sqlite3.DatabaseError("written by another version")
                rows = base.execute("SELECT inode, legacy, mtime, ctime, size, hash FROM known").fetchall()
            return {row[:2]: row[2:] for row in rows}
        except sqlite3.OperationalError:
            return {}  # busy or not readable: do without it this time
        except sqlite3.Error:
            self._forget_file()
            return {}

    def _forget_file(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def _key(status: os.stat_result, legacy: bool) -> tuple[int, int]:
    inode = status.st_ino
    return inode if inode < 1 << 63 else inode - (1 << 64), int(legacy)
