"""A store around a store that goes on after a lost connection. Knows nothing of the kind of connection.

Only ConnectionLost is tried again, after pauses of 0.5, 1, 2 and 4 seconds; the count starts anew whenever
something was finished. Logins, refusals and wrong content are never tried again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from modelkeep.core.errors import ConnectionLost
from modelkeep.core.nouns import replace
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores.base import Done, Failed, Incoming, Item, Store, Traits

PAUSES = (0.5, 1.0, 2.0, 4.0)
_SLICE = 0.2

T = TypeVar("T")


class RetryingStore(Store):
    """Does everything `store` does, again if need be. As safe from several threads as `store`."""

    def __init__(self, store: Store, *, wait: Callable[[float], None] = time.sleep) -> None:
        self.store = store
        self._wait = wait

    @property
    def traits(self) -> Traits:
        return self.store.traits

    def describe(self) -> str:
        return self.store.describe()

    def prepare(self) -> None:
        self._again(self.store.prepare)

    def sizes(self, keys: Iterable[str], *, progress: Progress = SILENT) -> dict[str, int]:
        wanted = list(keys)
        return self._again(lambda: self.store.sizes(wanted, progress=progress), progress)

    def list(self, prefix: str, *, progress: Progress = SILENT) -> Iterator[Item]:
        # Whole, because a listing cannot be continued in the middle.
        yield from self._again(lambda: [*self.store.list(prefix, progress=progress)], progress)

    def delete(self, key: str) -> None:
        self._again(lambda: self.store.delete(key))

    def delete_many(self, keys: Iterable[str], *, progress: Progress = SILENT) -> None:
        wanted = list(keys)
        self._again(lambda: self.store.delete_many(wanted, progress=progress), progress)

    def modified(self, keys: Iterable[str], *, progress: Progress = SILENT) -> dict[str, float]:
        wanted = list(keys)
        return self._again(lambda: self.store.modified(wanted, progress=progress), progress)

    def move(self, key: str, newkey: str) -> None:
        self._again(lambda: self.store.move(key, newkey))

    def free_space(self) -> int | None:
        return self._again(self.store.free_space)

    def close(self) -> None:
        self.store.close()

    def _again(self, call: Callable[[], T], progress: Progress = SILENT) -> T:
        patience = _Patience(self._wait, progress)
        while True:
            try:
                return call()
            except ConnectionLost as error:
                patience.pause(error)

    # -- reading ---------------------------------------------------------------------------------------

    def read(self, key: str, *, offset: int = 0, progress: Progress = SILENT) -> Iterator[bytes]:
        patience = _Patience(self._wait, progress)
        while True:
            try:
                for chunk in self.store.read(key, offset=offset, progress=progress):
                    offset += len(chunk)
                    yield chunk
                    patience.renew()
                return
            except ConnectionLost as error:
                patience.pause(error)

    def read_many(
        self, keys: Iterable[str], *, progress: Progress = SILENT
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        source = iter(keys)
        pending: deque[str] = deque()
        patience = _Patience(self._wait, progress)
        stream = self.store.read_many(_feed(pending, source), progress=progress)
        while True:
            try:
                found = next(stream, None)
            except ConnectionLost as error:
                patience.pause(error)
                stream = self.store.read_many(_feed(pending, source), progress=progress)
                continue
            if found is None:
                return
            key, chunks = found
            content = _Content(self, key, chunks, progress, patience)
            yield key, content.read()
            pending.popleft()
            if content.broke:
                stream.close()  # type: ignore[attr-defined]  # it is a generator
                stream = self.store.read_many(_feed(pending, source), progress=progress)

    # -- writing ---------------------------------------------------------------------------------------

    def write_many(self, items: Iterable[Incoming], progress: Progress, done: Done, failed: Failed) -> None:
        patience = _Patience(self._wait, progress)
        work = _Work(items, done, failed, patience)
        while True:
            try:
                self.store.write_many(work.left(), progress, work.done, work.failed)
                return
            except ConnectionLost as error:
                patience.pause(error)


class _Patience:
    """How often and how long one call is willing to wait."""

    def __init__(self, wait: Callable[[float], None], progress: Progress) -> None:
        self._wait = wait
        self._progress = progress
        self._left = list(PAUSES)

    def renew(self) -> None:
        """Something was finished: the next break is a new one."""
        if len(self._left) < len(PAUSES):
            self._left = list(PAUSES)

    def pause(self, error: ConnectionLost) -> None:
        """Wait before the next attempt, or raise `error` when it is time to give up."""
        if not self._left or not error.retryable:
            raise error
        left = self._left.pop(0)
        while left > 0:
            self._progress.check()
            self._wait(min(_SLICE, left))
            left -= _SLICE


class _Content:
    """One object of a stream; after a break it goes on by itself where it stopped."""

    def __init__(
        self, store: RetryingStore, key: str, chunks: Iterator[bytes], progress: Progress, patience: _Patience
    ) -> None:
        self._store = store
        self._key = key
        self._chunks = chunks
        self._progress = progress
        self._patience = patience
        self.broke = False

    def read(self) -> Iterator[bytes]:
        offset = 0
        try:
            for chunk in self._chunks:
                offset += len(chunk)
                yield chunk
            self._patience.renew()
            return
        except ConnectionLost as error:
            self.broke = True
            self._patience.pause(error)
        yield from self._store.read(self._key, offset=offset, progress=self._progress)


class _Work:
    """The items of one write: which were handed over and are neither done nor failed yet."""

    def __init__(self, items: Iterable[Incoming], done: Done, failed: Failed, patience: _Patience) -> None:
        self._source = iter(items)
        self._open: dict[str, Incoming] = {}
        self._done = done
        self._failed = failed
        self._patience = patience

    def left(self) -> Iterator[Incoming]:
        """What is still to do: first what the last attempt left open, from its beginning."""
        for item in list(self._open.values()):
            if item.reopen is None:
                self.failed(item.key, ConnectionLost(f"{item.key} was cut off and cannot be sent again."))
            else:
                yield replace(item, chunks=item.reopen(), in_order=False)
        for item in self._source:
            self._open[item.key] = item
            yield item

    def done(self, key: str, size: int) -> None:
        self._open.pop(key, None)
        self._patience.renew()
        self._done(key, size)

    def failed(self, key: str, error: Exception) -> None:
        self._open.pop(key, None)
        self._failed(key, error)


def _feed(pending: deque[str], source: Iterator[str]) -> Iterator[str]:
    yield from list(pending)
    for key in source:
        pending.append(key)
        yield key
