"""Hashes of workspace files, remembered between runs, and the comparison with what a metafile records.

Large files are hashed two at a time, small ones in line. Knows no metafiles, cache or Git.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import NamedTuple

from modelkeep.core.engine.hashing import hash_file, hash_legacy
from modelkeep.core.engine.statmemory import StatMemory
from modelkeep.core.engine.workspace_scan import unreadable
from modelkeep.core.progress import SILENT, Progress

#: From this size on a thread of its own costs less than it gains.
LARGE = 256 << 10


class OnDisk(NamedTuple):
    """A file of the workspace: its absolute path and what the file system said of it."""

    path: str
    facts: os.stat_result


def same_file(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether two looks at a file saw the same, untouched content."""
    return (one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) == (
        other.st_ino,
        other.st_size,
        other.st_mtime_ns,
        other.st_ctime_ns,
    )


class FileHashes:
    """Hashes files through a StatMemory. As safe from threads as that is."""

    def __init__(self, memory: StatMemory) -> None:
        self._memory = memory

    def of(self, file: OnDisk, progress: Progress = SILENT) -> str:
        """The MD5 of a file, remembered or computed; "" if it vanished."""
        known = self._memory.known(file.facts)
        return known if known is not None else self._compute(file, progress)

    def of_many(self, files: Mapping[str, OnDisk], progress: Progress = SILENT) -> dict[str, str]:
        """The MD5 of each file by its key; what must be read for it is added to what `progress` expects."""
        found = self._memory.known_of(files)
        if len(found) == len(files):
            return found
        unknown = {key: file for key, file in files.items() if key not in found}
        _expect(unknown, progress)
        large: list[str] = []
        for key, file in unknown.items():
            if file.facts.st_size >= LARGE:
                large.append(key)
            else:
                found[key] = self._compute(file, progress)
        if len(large) < 2:
            found.update((key, self._compute(files[key], progress)) for key in large)
            return found
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(2) as pool:
            hashes = pool.map(lambda key: self._compute(files[key], progress), large)
            found.update(zip(large, hashes, strict=True))
        return found

    def against(
        self, files: Mapping[str, OnDisk], expected: Mapping[str, str], progress: Progress = SILENT
    ) -> dict[str, str]:
        """Like `of_many` for files of a legacy output: any variant that equals `expected` counts as it."""
        known = self._memory.known_of(files, legacy=True)
        found = {key: md5 for key, md5 in known.items() if md5 == expected.get(key)}
        unknown = {key: file for key, file in files.items() if key not in found}
        _expect(unknown, progress)
        for key, file in unknown.items():
            found[key] = self._compute_legacy(file, expected.get(key, ""), progress)
        return found

    def _compute(self, file: OnDisk, progress: Progress) -> str:
        began = time.time_ns()
        try:
            digest = hash_file(file.path, progress)
            untouched = same_file(file.facts, os.stat(file.path))
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise unreadable(error, file.path) from error
        if untouched:
            self._memory.remember(file.facts, digest, read_at=began)
        progress.advance(files=1)
        return digest

    def _compute_legacy(self, file: OnDisk, wanted: str, progress: Progress) -> str:
        began = time.time_ns()
        try:
            variants = hash_legacy(file.path, progress)
            untouched = same_file(file.facts, os.stat(file.path))
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise unreadable(error, file.path) from error
        digest = wanted if wanted in variants else variants[0]
        if untouched:
            self._memory.remember(file.facts, digest, read_at=began, legacy=True)
        progress.advance(files=1)
        return digest


def _expect(files: Mapping[str, OnDisk], progress: Progress) -> None:
    size = sum(file.facts.st_size for file in files.values())
    progress.expect(progress.total_bytes + size, files=progress.total_files + len(files))
