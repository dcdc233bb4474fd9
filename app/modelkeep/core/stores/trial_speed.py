"""How fast a server takes and gives bytes, measured with one open file. Bounded in bytes and in seconds.

Pieces are under way side by side, as in a real transfer; on a slow line few are, so that none has to be waited for
long after the time is over. Knows no connections and no paths.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from modelkeep.core.progress import Progress
from modelkeep.core.stores import sftp_wire as wire
from modelkeep.core.stores.sftp import BLOCK, Session
from modelkeep.core.stores.sftp_wire import Reply
from modelkeep.core.stores.trial import Pace

_MOST_PIECES = 64
_FIRST_PIECES = 2
_AHEAD = 1.0  # seconds that what is under way may take
_RANDOM = 1 << 20  # bytes that are sent again and again; nothing on the way shrinks them

Then = Callable[[int], None]


class Line:
    """The way to an open file on a server, for one thread."""

    def __init__(self, session: Session, handle: bytes, progress: Progress) -> None:
        self._session = session
        self._handle = wire.string(handle)
        self._progress = progress
        self._refused: list[Reply] = []

    def send(self, most: int, seconds: float) -> tuple[Pace, Reply | None]:
        """Write up to `most` bytes for up to `seconds`; with the answer of the server where it refused."""
        data = os.urandom(_RANDOM)

        def send(at: int, then: Then) -> None:
            piece = data[at % len(data) :][:BLOCK]

            def answered(reply: Reply) -> None:
                if reply.status != wire.OK:
                    self._refused.append(reply)
                then(len(piece))

            body = self._handle + wire.uint64(at) + wire.string(piece)
            self._session.request(wire.WRITE, body, answered)

        pace = self._paced(send, most, seconds)
        return pace, self._refused[0] if self._refused else None

    def get(self, most: int, seconds: float) -> Pace:
        """Read up to `most` bytes from the beginning, for up to `seconds`."""

        def get(at: int, then: Then) -> None:
            body = self._handle + wire.uint64(at) + wire.uint32(BLOCK)
            self._session.request(
                wire.READ, body, lambda reply: then(len(reply.data()) if reply.kind == wire.DATA else 0)
            )

        return self._paced(get, most, seconds)

    def _paced(self, ask: Callable[[int, Then], None], most: int, seconds: float) -> Pace:
        """Ask for one piece after another, more of them at once the more are answered in time."""
        at = done = under_way = 0
        window = _FIRST_PIECES

        def answered(size: int) -> None:
            nonlocal done, under_way, window
            done += size
            under_way -= 1
            in_time = done / max(time.monotonic() - started, 1e-3) * _AHEAD / BLOCK
            window = min(window + 1, _MOST_PIECES, max(_FIRST_PIECES, int(in_time)))

        started = time.monotonic()
        while True:
            while (
                not self._refused
                and at < most
                and under_way < window
                and time.monotonic() - started < seconds
            ):
                under_way += 1
                ask(at, answered)
                at += BLOCK
            if not under_way:
                return Pace(done, time.monotonic() - started)
            self._progress.check()
            self._session.step()
