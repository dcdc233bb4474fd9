"""Sockets and channels that never block for ever: what lies between paramiko and the network.

paramiko waits without end where a link is frozen and its buffers are full, and a blocked call cannot be
cancelled. `Wire` (under the transport) and `Pipe` (over a channel) wait in short slices instead.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores.ssh_packets import Burst

_SLICE = 0.2  # seconds between two looks at whether to go on
_HURRY = 0.5  # how long a blocked send may take after a cancel
_PIECE = 32768 - 64  # what paramiko sends at once; a byte more costs a packet of its own
_BURST = 8 * _PIECE
_QUICK = 0.02  # seconds; a link that takes longer for one burst is given smaller ones, to be able to stop


class Wire:
    """The socket under a transport. A send that makes no headway for `patience` seconds ends the connection."""

    def __init__(self, sock: Any, patience: float) -> None:
        self._sock = sock
        self._patience = patience
        self._hurried = False
        self._closing = 0  # channels that are just being closed
        self._stalled: float | None = None
        self._lock = threading.Lock()
        self._closed = False  # paramiko looks at this
        self.sent = 0

    def hurry(self) -> None:
        """After a cancel: give up a blocked send soon. Safe from any thread."""
        self._hurried = True

    def relax(self) -> None:
        """Back to the usual patience."""
        self._hurried = False

    @property
    def patience(self) -> float:
        """How many seconds to wait for the other side: few after a cancel."""
        return _HURRY if self._hurried else self._patience

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Give up a blocked send soon inside, and be as patient afterwards as before. Safe from any thread."""
        with self._lock:
            self._closing += 1
        try:
            yield
        finally:
            with self._lock:
                self._closing -= 1

    def send(self, data: bytes) -> int:
        try:
            count = int(self._sock.send(data))
        except TimeoutError:
            now = time.monotonic()
            self._stalled = self._stalled or now
            if now - self._stalled > (_HURRY if self._closing else self.patience):
                raise ConnectionResetError("the link is stalled") from None
            raise
        self._stalled = None
        self.sent += count
        return count

    def recv(self, size: int) -> bytes:
        return bytes(self._sock.recv(size))

    def recv_into(self, room: memoryview) -> int:
        if isinstance(self._sock, socket.socket):
            return self._sock.recv_into(room)
        data = self._sock.recv(min(len(room), 1 << 16))  # a channel through another server
        room[: len(data)] = data
        return len(data)

    def settimeout(self, seconds: float | None) -> None:
        self._sock.settimeout(seconds)

    def close(self) -> None:
        self._closed = True
        self._sock.close()


class Pipe:
    """A channel for SFTP. Raises TimeoutError after `silence` seconds without headway."""

    def __init__(self, channel: Any, wire: Wire, silence: float) -> None:
        self._channel = channel
        self._wire = wire
        self._silence = silence
        self._patience = silence
        self._progress: Progress = SILENT
        self._burst = _PIECE
        channel.settimeout(_SLICE)

    def watch(self, progress: Progress, patience: float | None = None) -> None:
        self._progress = progress
        self._patience = self._silence if patience is None else patience
        if patience is None:
            self._wire.relax()
        else:
            self._wire.hurry()

    def send(self, data: bytes | memoryview) -> int:
        """Send the beginning of `data` and return its size; 0 once the server takes no more."""
        started = time.monotonic()
        with self._progress.interrupting(self._wire.hurry):
            while True:
                try:
                    return self._send_some(memoryview(data))
                except TimeoutError:
                    patience = _HURRY if self._progress.is_cancelled else self._patience
                    if time.monotonic() - started > patience:
                        raise

    def _send_some(self, data: memoryview) -> int:
        channel = self._channel
        if not getattr(channel.transport.packetizer, "takes_bursts", False):
            return int(channel.send(bytes(data[:_PIECE])))
        with channel.lock:  # as paramiko's own `send` does, but for several packets
            if channel.closed:
                raise OSError("the channel is closed")
            size = int(channel._wait_for_send_window(min(len(data), _PIECE)))
            if size == _PIECE:
                more = min(len(data), self._burst) - size
                more = min(max(0, more), channel.out_window_size)
                channel.out_window_size -= more
                size += more
        if not size:
            return 0
        began = time.monotonic()
        channel.transport._send_user_message(Burst(channel.remote_chanid, data[:size], _PIECE))
        is_quick = time.monotonic() - began < _QUICK
        self._burst = min(_BURST, 2 * self._burst) if is_quick else _PIECE
        return size

    def recv(self, size: int) -> bytes:
        started = time.monotonic()
        while True:
            try:
                with self._progress.interrupting(self._wire.hurry):  # it may have to send, too
                    return bytes(self._channel.recv(size))
            except TimeoutError:
                self._progress.check()
                if time.monotonic() - started > self._patience:
                    raise

    def close(self) -> None:
        with self._wire.hurried():  # closing sends a message, which a frozen link would not take
            self._channel.close()
