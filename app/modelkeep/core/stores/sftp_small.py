"""Uploads of small objects over one or several SFTP sessions, with few words per object. Knows no SSH.

Every object is opened under a temporary name, written, synced where the server offers it, measured and closed;
only when all of that went well is it renamed, or handed on to be checked first. Several sessions let the server
sync several files at once, which costs hardly more than one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from modelkeep.core.errors import ModelkeepError, StoreFailed
from modelkeep.core.leftovers import temp_name
from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores import sftp_wire as wire
from modelkeep.core.stores.base import Failed, Incoming
from modelkeep.core.stores.sftp import BLOCK, OBJECTS, Session
from modelkeep.core.stores.sftp_wire import Reply

LARGEST = 4 * BLOCK
FSYNC = "fsync@openssh.com"
_FSYNC = wire.string(FSYNC.encode())
_CREATE = wire.uint32(wire.WRITABLE | wire.CREATE | wire.EXCLUSIVE) + wire.uint32(0)


@dataclass(frozen=True, slots=True)
class Sent:
    """An object that lies complete under a temporary name beside its final one, both relative to the root."""

    key: str
    temp: str
    size: int
    md5: str | None

    @property
    def folder(self) -> str:
        """The folder it lies in."""
        return self.key.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Orders:
    """What is to become of the objects. `arrived` takes those that lie complete under their temporary names.

    `open_temps` is kept to hold every temporary name that may exist.
    """

    path: Callable[[str], bytes]
    sync: bool
    open_temps: set[str]
    arrived: Callable[[Session, Sent], None]
    failed: Failed
    progress: Progress


def temp_beside(key: str) -> str:
    """A new temporary name in the folder of `key`."""
    folder = key.rpartition("/")[0]
    return f"{folder}/{temp_name()}" if folder else temp_name()


def fits(item: Incoming) -> bool:
    """Whether an object is small and can be read at once."""
    return item.whole is not None and item.size is not None and item.size <= LARGEST


def send(items: Iterator[Incoming], sessions: Sequence[Session], orders: Orders) -> None:
    """Send all of `items`, which fit, and wait until the last of them arrived or failed."""
    lanes = [_Lane(session, orders) for session in sessions]
    is_busy = True
    while is_busy:
        is_busy = False
        for lane in lanes:
            orders.progress.check()
            lane.fill(items)
            if not lane.session.is_idle:
                lane.session.step()
                is_busy = True


class _Lane:
    """One session and the objects under way in it."""

    def __init__(self, session: Session, orders: Orders) -> None:
        self.session = session
        self.orders = orders
        self.sync = orders.sync and FSYNC in session.extensions
        self.under_way = 0

    def fill(self, items: Iterator[Incoming]) -> None:
        """Begin with objects as long as there are places for them."""
        while self.under_way < OBJECTS and (item := next(items, None)) is not None:
            self._begin(item)

    def _begin(self, item: Incoming) -> None:
        assert item.whole is not None
        try:
            data = item.whole()
        except Cancelled:
            raise
        except Exception as error:  # whatever one object's content raises must not stop the others
            self.orders.failed(item.key, error)
            return
        temp = temp_beside(item.key)
        self.orders.open_temps.add(temp)
        self.under_way += 1
        one = _One(self, item, temp, data)
        self.session.request(wire.OPEN, wire.string(self.orders.path(temp)) + _CREATE, one.opened)


class _One:
    """One object on its way."""

    __slots__ = ("_answers", "_data", "_item", "_lane", "_refused", "_stored", "_temp")

    def __init__(self, lane: _Lane, item: Incoming, temp: str, data: bytes) -> None:
        self._lane = lane
        self._item = item
        self._temp = temp
        self._data = data
        self._answers = 0
        self._refused: Reply | None = None
        self._stored: int | None = None

    def opened(self, reply: Reply) -> None:
        """The server's answer to OPEN: with a handle, all the rest is asked for at once."""
        if reply.kind != wire.HANDLE:
            self._refused = reply
            self._finish()
            return
        handle = wire.string(reply.handle())
        session, answered = self._lane.session, self._answered
        request, data = session.request, memoryview(self._data)
        for at in range(0, len(data), BLOCK):
            self._answers += 1
            session.write(handle, at, data[at : at + BLOCK], answered)
        if self._lane.sync:
            self._answers += 1
            request(wire.EXTENDED, _FSYNC + handle, answered)
        self._answers += 2
        request(wire.FSTAT, handle, answered)
        request(wire.CLOSE, handle, answered)

    def _answered(self, reply: Reply) -> None:
        self._answers -= 1
        if reply.kind == wire.ATTRS:
            self._stored = reply.attrs().size
        elif reply.status != wire.OK and self._refused is None:
            self._refused = reply
        if not self._answers:
            self._finish()

    def _finish(self) -> None:
        self._lane.under_way -= 1
        orders, item, size = self._lane.orders, self._item, len(self._data)
        try:
            if self._refused is not None:
                raise wire.refusal(self._refused, item.key)
            check_size(item, size, self._stored)
        except ModelkeepError as error:
            self._lane.session.request(wire.REMOVE, wire.string(orders.path(self._temp)), _ignore)
            orders.open_temps.discard(self._temp)
            orders.failed(item.key, error)
            return
        orders.progress.advance(size)
        md5 = item.checksum() if item.checksum else None
        orders.arrived(self._lane.session, Sent(item.key, self._temp, size, md5))


def check_size(item: Incoming, sent: int, stored: int | None) -> None:
    """Raise StoreFailed unless as much arrived as was sent, and as much was sent as was announced.

    `stored` is what the server says, None if it says nothing: often there is no other check.
    """
    expected = sent if item.size is None else item.size
    if stored is None:
        raise StoreFailed(
            f"{item.key} could not be checked and was discarded.",
            detail="The server does not say how large it is.",
            hint="Push again; if it happens again, the server is not fit to keep data.",
            paths=(item.key,),
        )
    if sent != expected or stored != sent:
        found = sent if sent != expected else stored
        raise StoreFailed(
            f"{item.key} arrived with {found} bytes where {expected} were expected.",
            hint="The disk or quota of the server may be full.",
            paths=(item.key,),
        )


def rename(
    session: Session, one: Sent, path: Callable[[str], bytes], then: Callable[[Sent, Reply], None]
) -> None:
    """Ask for the final name of an object; `then` gets the answer."""
    session.request(*session.rename_request(path(one.temp), path(one.key)), partial(then, one))


def _ignore(_: Reply) -> None:
    return
