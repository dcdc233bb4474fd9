"""Keeps what arrived for a channel of SSH until somebody takes it. Knows no packets and no logins."""

from __future__ import annotations

import threading
from collections import deque

from modelkeep.core.stores.ssh_library import paramiko


class Inbox:
    """What a channel received and nobody took yet; in the place of paramiko's BufferedPipe, which copies more.

    `most` is how many bytes the server was allowed to send unasked: one that sends more is cut off.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._is_closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return self._size

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        with self._changed:
            self._parts.append(data)
            self._size += len(data)
            if self._size > self.most:
                raise paramiko.SSHException("The server sends more than it may.")
            self._changed.notify()

    def read(self, nbytes: int, timeout: float | None = None) -> bytes:
        """Up to `nbytes`, b"" at the end. Raises PipeTimeout after `timeout` seconds without anything."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._size or self._is_closed, timeout):
                raise paramiko.buffered_pipe.PipeTimeout
            return self._take(nbytes)

    def _take(self, most: int) -> bytes:
        """Whole parts as far as they fit, so that nothing is split that need not be."""
        parts = self._parts
        if parts and len(parts[0]) > most:
            first = parts[0]
            parts[0] = first[most:]
            self._size -= most
            return first[:most]
        taken: list[bytes] = []
        size = 0
        while parts and size + len(parts[0]) <= most:
            taken.append(parts.popleft())
            size += len(taken[-1])
        self._size -= size
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def empty(self) -> bytes:
        """All that is there, without waiting."""
        with self._changed:
            return self._take(self._size)

    def read_ready(self) -> bool:
        """Whether there is something to take."""
        return self._size > 0

    def close(self) -> None:
        """Nothing will come any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
