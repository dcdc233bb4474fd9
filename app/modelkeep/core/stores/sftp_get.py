"""Downloads over one SFTP session: the next objects are fetched while the first is used. Knows no SSH.

Memory stays bounded whatever the sizes: at most AHEAD bytes are asked for or held, beyond the object that is
being read, which may always go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from modelkeep.core.errors import ModelkeepError, StoreFailed
from modelkeep.core.progress import Progress
from modelkeep.core.stores import sftp_wire as wire
from modelkeep.core.stores.sftp import BLOCK, OBJECTS, Session
from modelkeep.core.stores.sftp_wire import Reply

AHEAD = 16 << 20
_HEAD = 2 << 20  # what the object being read may always have under way
_PIECE = 1 << 18  # how much is handed over at once


class _Budget:
    """Bytes asked for or held by all downloads together, and those that have more to ask for, in their order."""

    def __init__(self) -> None:
        self.used = 0
        self.waiting: dict[_Download, None] = {}


class _Download:
    """One file on its way. Answers come in the order asked, so pieces are kept in a queue by offset."""

    def __init__(self, session: Session, key: str, path: bytes, offset: int, budget: _Budget) -> None:
        self.key = key
        self.error: ModelkeepError | None = None
        self._session = session
        self._budget = budget
        self._handle: bytes | None = None
        self._size: int | None = None
        self._read_to = offset  # handed over so far
        self._asked_to = offset
        self._pieces: dict[int, bytes] = {}
        self._held = 0
        self._open = 0
        self._closed = False
        self._abandoned = False
        body = wire.string(path) + wire.uint32(wire.READABLE) + wire.uint32(0)
        session.request(wire.OPEN, body, self._opened)

    @property
    def is_done(self) -> bool:
        return self.error is not None or (self._size is not None and self._read_to >= self._size)

    def ask_more(self, *, is_head: bool) -> None:
        """Ask for the next blocks as far as the budget allows."""
        while self._handle is not None and self._size is not None and self._asked_to < self._size:
            mine = self._asked_to - self._read_to
            if self._abandoned or (self._budget.used >= AHEAD and not (is_head and mine < _HEAD)):
                return
            self._ask(self._asked_to, min(BLOCK, self._size - self._asked_to))
        if self._size is not None:
            self._budget.waiting.pop(self, None)

    def take(self) -> bytes:
        """The next bytes that are here; b"" if none are."""
        parts, size = [], 0
        while size < _PIECE and (piece := self._pieces.pop(self._read_to, None)):
            parts.append(piece)
            size += len(piece)
            self._read_to += len(piece)
        self._budget.used -= size
        self._held -= size
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def abandon(self) -> None:
        """Nobody wants the rest."""
        self._abandoned = True
        self._budget.waiting.pop(self, None)
        self._pieces.clear()
        self._budget.used -= self._held
        self._held = 0
        self._close_when_quiet()

    # -- answers ---------------------------------------------------------------------------------------

    def _opened(self, reply: Reply) -> None:
        if reply.status is not None:
            self.error = wire.refusal(reply, self.key)
            return
        self._handle = wire.string(reply.handle())
        self._open += 1
        self._session.request(wire.FSTAT, self._handle, self._measured)
        self._ask(self._asked_to, BLOCK)

    def _measured(self, reply: Reply) -> None:
        self._open -= 1
        size = reply.attrs().size if reply.kind == wire.ATTRS else None
        if size is None:
            self.error = wire.refusal(reply, self.key)
        else:
            self._size = size
            self._asked_to = max(self._read_to, min(self._asked_to, size))
            if self._asked_to < size and not self._abandoned:
                self._budget.waiting[self] = None
        self._close_when_quiet()

    def _ask(self, offset: int, length: int) -> None:
        assert self._handle is not None
        self._open += 1
        self._budget.used += length
        self._asked_to = max(self._asked_to, offset + length)
        body = self._handle + wire.uint64(offset) + wire.uint32(length)
        self._session.request(wire.READ, body, lambda reply: self._got(offset, length, reply))

    def _got(self, offset: int, length: int, reply: Reply) -> None:
        self._open -= 1
        self._budget.used -= length
        if reply.status is None:
            self._keep(offset, length, reply.data())
        elif reply.status != wire.EOF:
            self.error = wire.refusal(reply, self.key)
        elif self._size is not None and offset < self._size:
            self.error = StoreFailed(f"{self.key} ended early on the server.", paths=(self.key,))
        self._close_when_quiet()

    def _keep(self, offset: int, length: int, data: bytes) -> None:
        data = data[:length]
        if self._size is not None:
            data = data[: max(0, self._size - offset)]  # never more than the size it was said to have
        if self._abandoned or not data:
            return
        self._pieces[offset] = data
        self._held += len(data)
        self._budget.used += len(data)
        end = offset + len(data)
        if len(data) < length and self._size is not None and end < self._size:
            self._ask(end, min(offset + length, self._size) - end)

    def _close_when_quiet(self) -> None:
        all_asked = self._size is not None and self._asked_to >= self._size
        if self._handle is None or self._open or self._closed:
            return
        if all_asked or self._abandoned or self.error is not None:
            self._closed = True
            self._session.request(wire.CLOSE, self._handle, lambda _: None)


class Downloads:
    """Streams many files in the order asked; the session is busy until the iterator ends or is closed."""

    def __init__(self, session: Session, path_of: Callable[[str], bytes], progress: Progress) -> None:
        self._session = session
        self._path_of = path_of
        self._progress = progress
        self._budget = _Budget()
        self._queue: deque[_Download] = deque()

    def read(self, keys: Iterable[str], *, offset: int = 0) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield each key with its content; `offset` skips that many bytes of each."""
        source = iter(keys)
        while True:
            self._fill(source, offset)
            if not self._queue:
                return
            head = self._queue[0]
            content = self._content(head, source, offset)
            yield head.key, content
            content.close()  # type: ignore[attr-defined]  # it is a generator
            if head.error is not None or not head.is_done:
                head.abandon()
            self._queue.popleft()

    def _fill(self, source: Iterator[str], offset: int) -> None:
        while len(self._queue) < OBJECTS and self._budget.used < AHEAD:
            key = next(source, None)
            if key is None:
                break
            path = self._path_of(key)
            self._queue.append(_Download(self._session, key, path, offset, self._budget))
        for download in list(self._budget.waiting):
            download.ask_more(is_head=download is self._queue[0])

    def _content(self, head: _Download, source: Iterator[str], offset: int) -> Iterator[bytes]:
        while not head.is_done:
            self._progress.check()
            data = head.take()
            if data:
                head.ask_more(is_head=True)
                yield data
                continue
            self._fill(source, offset)
            self._session.step()
            head.ask_more(is_head=True)
        if head.error is not None:
            raise head.error
