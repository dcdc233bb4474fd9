"""Uploads over one SFTP session: temporary names, checks, then the renames. Knows no SSH and no hashes' meaning."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from modelkeep.core.errors import ConnectionLost, ModelkeepError, StoreFailed
from modelkeep.core.nouns import replace
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores import sftp_wire as wire
from modelkeep.core.stores.base import Done, Failed, Incoming, checked
from modelkeep.core.stores.sftp import BLOCK, Flow, Job, Session
from modelkeep.core.stores.sftp_list import read_folder
from modelkeep.core.stores.sftp_small import (
    FSYNC,
    Orders,
    Sent,
    check_size,
    fits,
    rename,
    send,
    temp_beside,
)
from modelkeep.core.stores.sftp_wire import Reply

BATCH_BYTES = 64 << 20
_SMALL = 1 << 18
_MANY = 64  # small objects for which more sessions are worth while
_WINDOW = 64  # unanswered blocks of one file: 2 MiB


class _BadContent(Exception):
    """What was to be sent turned out wrong while it was read."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


def batches(items: Iterable[Incoming], most: int) -> Iterator[list[Incoming]]:
    """Items to be sent side by side: up to `most`, and not many more than BATCH_BYTES.

    What comes in order is kept in memory where it is small; a larger one is the last of its batch.
    """
    batch: list[Incoming] = []
    size = 0
    for item in items:
        checked(item.key)
        is_last = False
        if item.in_order:
            is_last = item.size is None or item.size > _SMALL
            item = item if is_last else _in_memory(item)
        batch.append(item)
        size += item.size or 0
        if is_last or len(batch) >= most or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _in_memory(item: Incoming) -> Incoming:
    parts: list[bytes] = []
    problem: Exception | None = None
    try:
        parts += item.chunks
    except Cancelled:
        raise
    except Exception as error:  # raised again where this object is sent
        problem = error

    def chunks() -> Iterator[bytes]:
        yield from parts
        if problem is not None:
            raise problem

    def whole() -> bytes:
        return b"".join(chunks())

    return replace(item, chunks=chunks(), in_order=False, whole=whole)


class Uploads:
    """Sends items beneath `root`. `done` and `failed` are those of `Store.write_many`.

    With `by_size` there is no other check than of the size: the server is asked to sync each file it receives,
    and small ones get their final names at once. `others` opens more sessions for many small ones.
    """

    def __init__(
        self,
        session: Session,
        root: str,
        progress: Progress,
        done: Done,
        failed: Failed,
        *,
        by_size: bool,
        others: Callable[[], Sequence[Session]] = tuple,
    ) -> None:
        self._session = session
        self._root = root
        self._progress = progress
        self._done = done
        self._failed = failed
        self._by_size = by_size
        self._others = others
        self._sync_each = by_size and FSYNC in session.extensions
        self._can_sync = FSYNC in session.extensions
        #: Folders that something was sent to by itself.
        self.filled: set[str] = set()
        self._folders: set[str] = set()
        self._open: set[str] = set()  # temporary names that may exist

    def send(self, items: list[Incoming]) -> list[Sent]:
        """Send all items side by side and return those that arrived with their full size and wait for a check."""
        self._make_folders(items)
        sent: list[Sent] = []
        large = [item for item in items if not fits(item)]
        if len(large) < len(items):
            self._send_small([item for item in items if fits(item)], sent)
        self._session.run((partial(self._put, item, sent) for item in large), progress=self._progress)
        return sent

    def place(self, item: Incoming) -> str:
        """A temporary name, in the folder of `item`, for something else than this to send it to."""
        self._make_folders([item])
        temp = temp_beside(item.key)
        self._open.add(temp)
        return temp

    def _send_small(self, items: list[Incoming], sent: list[Sent]) -> None:
        refused: list[Sent] = []

        def renamed(one: Sent, reply: Reply) -> None:
            if reply.status == wire.OK:
                self._open.discard(one.temp)
                self._done(one.key, one.size)
            else:
                refused.append(one)

        def arrived(session: Session, one: Sent) -> None:
            if self._by_size:
                rename(session, one, self._path, renamed)
            else:
                sent.append(one)

        orders = Orders(self._path, self._by_size, self._open, arrived, self._failed, self._progress)
        many = self._sync_each and len(items) > _MANY
        send(iter(items), [self._session, *(self._others() if many else ())], orders)
        for one in refused:
            self._finish_slowly(one)

    def finish(self, sent: list[Sent]) -> None:
        """Rename to the final names; `done` follows for each that is in place."""
        refused: list[Sent] = []

        def answered(one: Sent, reply: Reply) -> None:
            if reply.status == wire.OK:
                self._open.discard(one.temp)
                self._done(one.key, one.size)
            else:
                refused.append(one)

        self._session.call_all(
            (
                *self._session.rename_request(self._path(one.temp), self._path(one.key)),
                partial(answered, one),
            )
            for one in sent
        )
        for one in refused:
            self._finish_slowly(one)

    def _finish_slowly(self, one: Sent) -> None:
        try:
            self._session.rename(self._path(one.temp), self._path(one.key))
        except ConnectionLost:
            raise
        except ModelkeepError as error:
            self._discard(one.temp)
            self._failed(one.key, error)
        else:
            self._open.discard(one.temp)
            self._done(one.key, one.size)

    def reject(self, bad: list[Sent], where: str) -> None:
        """Discard what arrived with other bytes than were sent."""
        self._refuse(
            bad,
            "arrived damaged",
            f"{where} holds other bytes than were sent.",
            "the disk or memory of the server may be failing.",
        )

    def leave(self, unknown: list[Sent], where: str) -> None:
        """Discard what the server could not hash."""
        self._refuse(
            unknown,
            "could not be checked",
            f"{where} did not say the MD5 of what it received.",
            "ask its administrator whether md5sum works there.",
        )

    def _refuse(self, sent: list[Sent], what: str, detail: str, then: str) -> None:
        for one in sent:
            self._discard(one.temp)
            error = StoreFailed(
                f"{one.key} {what} and was discarded.",
                detail=detail,
                hint=f"Push again; if it happens again, {then}",
                paths=(one.key,),
            )
            self._failed(one.key, error)

    def discard(self, one: Sent) -> None:
        """Remove what arrived and is not wanted."""
        self._discard(one.temp)

    def unfinished(self) -> list[str]:
        """Temporary names that may still exist."""
        return sorted(self._open)

    def discard_all(self) -> None:
        """Ask for the removal of everything unfinished, without waiting for it."""
        if not self._session.broken:
            with suppress(ConnectionLost):
                for temp in self.unfinished():
                    self._discard(temp)

    def _discard(self, temp: str) -> None:
        self._session.request(wire.REMOVE, wire.string(self._path(temp)), _ignore)
        self._open.discard(temp)

    # -- one object ------------------------------------------------------------------------------------

    def _put(self, item: Incoming, sent: list[Sent], flow: Flow) -> Job:
        temp = temp_beside(item.key)
        self._open.add(temp)
        try:
            size = yield from self._send_file(flow, item, self._path(temp))
            sent.append(Sent(item.key, temp, size, item.checksum() if item.checksum else None))
        except _BadContent as error:
            self._discard(temp)
            self._failed(item.key, error.cause)
        except ConnectionLost:
            raise
        except ModelkeepError as error:
            self._discard(temp)
            self._failed(item.key, error)

    def _send_file(self, flow: Flow, item: Incoming, temp: bytes) -> Generator[int, None, int]:
        flags = wire.WRITABLE | wire.CREATE | wire.EXCLUSIVE
        opened = yield from flow.ask(wire.OPEN, wire.string(temp) + wire.uint32(flags) + wire.uint32(0))
        if opened.status is not None:
            raise wire.refusal(opened, item.key)
        handle = wire.string(opened.handle())
        refused: list[Reply] = []
        sizes: list[int | None] = []
        try:
            size = yield from self._send_blocks(flow, item, handle, refused)
            if self._sync_each or (size >= (1 << 20) and self._can_sync):
                flow.send(wire.EXTENDED, wire.string(FSYNC.encode()) + handle, _keep_refusal(refused))
            flow.send(
                wire.FSTAT, handle, lambda r: sizes.append(r.attrs().size if r.kind == wire.ATTRS else None)
            )
        finally:
            if not self._session.broken:
                flow.send(wire.CLOSE, handle, _keep_refusal(refused))
        yield 0
        if refused:
            raise wire.refusal(refused[0], item.key)
        check_size(item, size, sizes[0])
        return size

    def _send_blocks(
        self, flow: Flow, item: Incoming, handle: bytes, refused: list[Reply]
    ) -> Generator[int, None, int]:
        offset = 0
        keep = _keep_refusal(refused)
        for block in _content(item):
            flow.write(handle, offset, block, keep)
            offset += len(block)
            self._progress.advance(len(block))
            yield _WINDOW
            if refused:
                break
        return offset

    # -- folders ---------------------------------------------------------------------------------------

    def _make_folders(self, items: list[Incoming]) -> None:
        """One listing for each folder of folders, and one burst for those that are missing."""
        wanted = {item.key.rpartition("/")[0] for item in items} - self.filled
        for parent in {folder.rpartition("/")[0] for folder in wanted}:
            if parent not in self._folders:
                self._session.make_folder(self._path(parent))
                self._folders.add(parent)
                self._folders.update(f"{parent}/{name}" if parent else name for name in self._names(parent))
        missing = sorted(wanted - self._folders - {""})
        self._session.call_all(
            ((wire.MKDIR, wire.string(self._path(folder)) + wire.uint32(0), _ignore) for folder in missing),
            progress=self._progress,
        )
        self._folders |= wanted
        self.filled |= wanted

    def _names(self, folder: str) -> list[str]:
        names: list[str] = []

        def listing(flow: Flow) -> Job:
            yield from read_folder(flow, self._path(folder), lambda name, _: names.append(name))

        self._session.run([listing], progress=self._progress)
        return names

    def _path(self, key: str) -> bytes:
        return join(self._root, key)


def join(root: str, key: str) -> bytes:
    """The path of `key` on the server."""
    if not key:
        return (root or ".").encode()
    return f"{root.rstrip('/')}/{key}".encode() if root else key.encode()


def _content(item: Incoming) -> Iterator[bytes | memoryview]:
    try:
        yield from _in_blocks(item.chunks)
    except Cancelled:
        raise
    except Exception as error:  # whatever one object's content raises must not stop the others
        raise _BadContent(error) from error


def _in_blocks(chunks: Iterator[bytes]) -> Iterator[bytes | memoryview]:
    """The same bytes in pieces of BLOCK, but for the last."""
    rest = b""
    for chunk in chunks:
        view = memoryview(chunk)
        if rest:
            take = BLOCK - len(rest)
            rest += bytes(view[:take])
            view = view[take:]
            if len(rest) < BLOCK:
                continue
            yield rest
            rest = b""
        while len(view) >= BLOCK:
            yield view[:BLOCK]
            view = view[BLOCK:]
        rest = bytes(view)
    if rest:
        yield rest


def _keep_refusal(refused: list[Reply]) -> Callable[[Reply], None]:
    return lambda reply: None if reply.status == wire.OK else refused.append(reply)


def _ignore(_: Reply) -> None:
    return
