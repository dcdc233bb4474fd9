"""How a batch of workspace files gets into the cache: each read once, hashed before or while it is copied.

A small file is read at once and hashed (`Batch.stage_whole`). Of a large one the name is known only after its
last byte, so it is written under a temporary name and named then (`Batch.stage_as`). Knows the workspace as a
Tree; nothing of outputs or metafiles.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from modelkeep.core.durable import READING, Batch, store_failed
from modelkeep.core.engine.cache_copy import SMALL, copy_hashing, read_small
from modelkeep.core.engine.hashing import hash_bytes
from modelkeep.core.engine.statmemory import StatMemory
from modelkeep.core.errors import NotFound, Refused, StoreFailed
from modelkeep.core.paths import Tree, visible
from modelkeep.core.progress import Cancelled, Progress

if TYPE_CHECKING:
    from concurrent.futures import Future

#: From this size on, two files are hashed at once; below it, handing over between threads costs more.
LARGE = 4 << 20


class Source(NamedTuple):
    """A workspace file to insert. `status` is what a scan found; `follow` allows a symbolic link to a file."""

    path: str
    status: os.stat_result
    follow: bool = False


class Inserted(NamedTuple):
    """What a file became: its MD5 and its size in bytes."""

    hash: str
    size: int


class Insertion:
    """Reads files of `tree` into a batch. `name` gives the key for (hash, size, status), None if it is there."""

    def __init__(
        self,
        tree: Tree,
        folder: str,
        name: Callable[[str, int, os.stat_result], str | None],
        memory: StatMemory | None,
        progress: Progress,
    ) -> None:
        self._tree = tree
        self._folder = folder
        self._name = name
        self._memory = memory
        self._progress = progress
        self._stopped = False

    def run(self, batch: Batch, sources: Sequence[Source]) -> dict[str, Inserted]:
        """Stage all of `sources`: the small ones one after another, then the large ones by two threads."""
        done: dict[str, Inserted] = {}
        small = (one for one in sources if one.status.st_size < LARGE)
        for folder, group in itertools.groupby(small, key=lambda one: one.path.rpartition("/")[0]):
            with self._opened(folder) as parent:
                for source in group:
                    done[source.path] = self._insert(batch, source, parent)
        large = [one for one in sources if one.status.st_size >= LARGE]
        if large:
            done |= self._run_large(batch, large)
        return done

    def _run_large(self, batch: Batch, sources: Sequence[Source]) -> dict[str, Inserted]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(2) as pool:
            futures = {one.path: pool.submit(self._insert_alone, batch, one) for one in sources}
            try:
                return {path: future.result() for path, future in futures.items()}
            except BaseException:
                self._stop(futures)
                raise

    def _stop(self, futures: dict[str, Future[Inserted]]) -> None:
        self._stopped = True
        for future in futures.values():
            future.cancel()

    def _insert_alone(self, batch: Batch, source: Source) -> Inserted:
        with self._opened(source.path.rpartition("/")[0]) as parent:
            return self._insert(batch, source, parent)

    @contextlib.contextmanager
    def _opened(self, folder: str) -> Iterator[tuple[int | None, str]]:
        """The folder as a descriptor, or as a path where the system has no such descriptors."""
        inside = f"{folder}/x" if folder else "x"
        try:
            with self._tree.parent(inside) as (fd, path):
                yield fd, os.path.dirname(path)
        except FileNotFoundError:
            raise NotFound(f"The folder {visible(folder)} is not there.", paths=(folder,)) from None

    def _insert(self, batch: Batch, source: Source, parent: tuple[int | None, str]) -> Inserted:
        file = _open(source, parent)
        try:
            before = os.fstat(file)
            if not stat.S_ISREG(before.st_mode):
                raise Refused(f"{visible(source.path)} is not a regular file.", paths=(source.path,))
            if before.st_size <= SMALL:
                return self._stage_small(batch, source.path, file, before)
            return self._stage(batch, source.path, file, before)
        finally:
            os.close(file)

    def _stage_small(self, batch: Batch, path: str, file: int, before: os.stat_result) -> Inserted:
        """Reads all of it before the first byte is written, so that its name is known by then."""
        began = time.time_ns()
        try:
            data = read_small(file, before.st_size)
        except OSError as error:
            raise store_failed(error, path) from error
        digest, size = hash_bytes(data), len(data)
        _refuse_changed(path, before, os.fstat(file), size)
        key = self._name(digest, size, before)
        if key is not None:
            batch.stage_whole(key, data, self._folder, label=path)
        if self._memory is not None:
            self._memory.remember(before, digest, read_at=began)
        self._progress.advance(size, files=1)
        return Inserted(digest, size)

    def _stage(self, batch: Batch, path: str, file: int, before: os.stat_result) -> Inserted:
        began = time.time_ns()
        result = Inserted("", 0)

        def fill(target: int) -> int:
            nonlocal result
            result = Inserted(*copy_hashing(file, target, before.st_size, self._report))
            return result.size

        def name() -> str | None:
            _refuse_changed(path, before, os.fstat(file), result.size)
            return self._name(result.hash, result.size, before)

        batch.stage_as(self._folder, fill, name, label=path)
        if self._memory is not None:
            self._memory.remember(before, result.hash, read_at=began)
        self._progress.advance(files=1)
        return result

    def _report(self, count: int) -> None:
        if self._stopped:
            raise Cancelled
        self._progress.advance(count)


def _open(source: Source, parent: tuple[int | None, str]) -> int:
    fd, folder = parent
    name = source.path.rpartition("/")[2]
    flags = READING if source.follow else READING | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(name if fd is not None else os.path.join(folder, name), flags, dir_fd=fd)
    except FileNotFoundError:
        raise NotFound(f"{visible(source.path)} is not there any more.", paths=(source.path,)) from None
    except OSError as error:
        raise StoreFailed(
            f"{visible(source.path)} could not be read: {error.strerror or error}.",
            hint="Check its permissions, and that it is a file of its own and no link.",
            paths=(source.path,),
        ) from error


def _refuse_changed(path: str, before: os.stat_result, after: os.stat_result, size: int) -> None:
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size) or size != after.st_size:
        raise Refused(
            f"{visible(path)} was written to while it was being read.",
            hint="Wait until the program that writes it is done, then try again.",
            paths=(path,),
        )
