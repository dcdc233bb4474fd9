"""One SFTP session over a channel, with many requests under way at once. Knows no SSH, no keys and no stores.

Requests are written without waiting and answers are handed to callbacks as they come, in one thread: the one
that calls. `run` drives many jobs (generators) side by side, so that a thousand small files cost a few round
trips instead of thousands. A session belongs to one thread at a time.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from typing import Protocol

from modelkeep.core.errors import ConnectionLost
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores import sftp_wire as wire
from modelkeep.core.stores.sftp_wire import Attrs, Reply

OBJECTS = 64  # jobs side by side
BLOCK = 32768  # what every server takes in one request; larger ones do not help
_PACKET = 32768 - 64  # what goes into one packet of SSH
_SOON = 8 * _PACKET  # bytes that are not kept back any longer
_LARGEST = 1 << 20  # no honest answer to our requests is longer
_BITE = 1 << 20

#: A job yields how many of its requests may still be unanswered before it goes on.
Job = Generator[int, None, None]


class Channel(Protocol):
    """A pipe to the server. `send` and `recv` raise an OSError or EOFError when it breaks or stays silent."""

    def send(self, data: bytes | memoryview) -> int: ...

    def recv(self, size: int) -> bytes: ...

    def watch(self, progress: Progress, patience: float | None = None) -> None:
        """From now on `recv` raises Cancelled soon after `progress` is cancelled, and `send` soon fails if it
        is blocked then. `patience` is the longest silence in seconds, None for the usual one."""

    def close(self) -> None: ...


class Session:
    """An open SFTP subsystem. Raises ConnectionLost when the channel breaks or stays silent."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._number = 0
        self._waiting: dict[int, Callable[[Reply], None]] = {}
        self.broken = False
        self.extensions = self._greet()

    def _greet(self) -> frozenset[str]:
        self._send(struct.pack(">IBI", 5, wire.INIT, 3))
        kind, body = self._message()
        reader = wire.Reader(body)
        if kind != wire.VERSION or reader.uint32() < 3:
            raise wire.garbled()
        names = set()
        while not reader.at_end:
            names.add(reader.string().decode("ascii", "replace"))
            reader.string()
        return frozenset(names)

    # -- requests and answers --------------------------------------------------------------------------

    def request(self, kind: int, body: bytes, then: Callable[[Reply], None]) -> None:
        """Ask without waiting; `then` gets the answer during a later `step`."""
        self._outgoing += wire.packet(kind, self._next(then), body)
        if len(self._outgoing) >= _SOON:
            self._send_whole_packets()

    def write(
        self, handle: bytes, offset: int, data: bytes | memoryview, then: Callable[[Reply], None]
    ) -> None:
        """Like `request` for WRITE, without copying `data` more often than it must be."""
        self._outgoing += wire.write_head(self._next(then), handle, offset, len(data))
        self._outgoing += data
        if len(self._outgoing) >= _SOON:
            self._send_whole_packets()

    def _next(self, then: Callable[[Reply], None]) -> int:
        self._number = (self._number + 1) & 0xFFFFFFFF
        self._waiting[self._number] = then
        return self._number

    def _send_whole_packets(self) -> None:
        size = len(self._outgoing) - len(self._outgoing) % _PACKET
        with memoryview(self._outgoing) as view:
            self._send(view[:size])
        del self._outgoing[:size]

    def ask(self, kind: int, body: bytes) -> Reply:
        """Ask and wait for the answer."""
        answers: list[Reply] = []
        self.request(kind, body, answers.append)
        while not answers:
            self.step()
        return answers[0]

    def flush(self) -> None:
        """Send what has been asked so far."""
        if self._outgoing:
            data, self._outgoing = self._outgoing, bytearray()
            self._send(data)

    def step(self) -> None:
        """Wait for at least one answer and hand on all that are there."""
        self.flush()
        if not self._waiting:
            return
        while not self._complete():
            self._incoming += self._receive()
            self._check_length()
        data, self._incoming = bytes(self._incoming), bytearray()
        at, end = 0, len(data)
        try:
            while end - at >= 4:
                size = int.from_bytes(data[at : at + 4], "big")
                if at + 4 + size > end:
                    break
                at += 4 + size
                self._dispatch(data, at - size, size)
        finally:  # whoever an answer was for may have raised: the others are for later
            self._incoming += data[at:]
        self._check_length()

    def _dispatch(self, data: bytes, at: int, size: int) -> None:
        if size < 5:
            raise wire.garbled()
        then = self._waiting.pop(int.from_bytes(data[at + 1 : at + 5], "big"), None)
        if then is None:
            self.broken = True
            raise wire.garbled()
        then(Reply(data[at], data[at + 5 : at + size]))

    def _check_length(self) -> None:
        if len(self._incoming) >= 4 and int.from_bytes(self._incoming[:4], "big") > _LARGEST:
            self.broken = True
            raise wire.garbled()

    def _complete(self) -> bool:
        have = len(self._incoming)
        return have >= 4 and have >= 4 + int.from_bytes(self._incoming[:4], "big")

    def _message(self) -> tuple[int, bytes]:
        while not self._complete():
            self._incoming += self._receive()
            self._check_length()
        size = int.from_bytes(self._incoming[:4], "big")
        if size < 1:
            raise wire.garbled()
        body = bytes(self._incoming[5 : 4 + size])
        kind = self._incoming[4]
        del self._incoming[: 4 + size]
        return kind, body

    def _receive(self) -> bytes:
        try:
            data = self._channel.recv(_BITE)
        except (OSError, EOFError) as error:
            raise self._lost(error) from error
        if not data:
            raise self._lost(None)
        return data

    def _send(self, data: bytes | bytearray | memoryview) -> None:
        left = memoryview(data)
        while left:
            try:
                count = self._channel.send(left)
            except (OSError, EOFError) as error:
                raise self._lost(error) from error
            if not count:
                raise self._lost(None)
            left = left[count:]

    def _lost(self, error: BaseException | None) -> ConnectionLost:
        self.broken = True
        silent = isinstance(error, TimeoutError)
        what = "does not answer any more" if silent else "closed the connection"
        return ConnectionLost(f"The server {what}.", hint="What was finished is kept; try again.")

    @property
    def is_idle(self) -> bool:
        """Whether every answer has come, so that the session can be used for something else."""
        return not self.broken and not self._waiting and not self._outgoing

    def watch(self, progress: Progress) -> None:
        """Let `progress` cancel what waits in this session from now on."""
        self._channel.watch(progress)

    def settle(self, patience: float) -> None:
        """Send clean-up requests still under way and wait for answers, but not for long. Raises nothing."""
        if self.broken:
            return
        self._channel.watch(SILENT, patience)
        deadline = time.monotonic() + patience
        with suppress(ConnectionLost):
            self.flush()
            while self._waiting and time.monotonic() < deadline:
                self.step()

    def close(self) -> None:
        """End the session; safe to repeat."""
        self.broken = True
        with suppress(OSError, EOFError):
            self._channel.close()

    # -- many jobs side by side ------------------------------------------------------------------------

    def run(self, jobs: Iterable[Callable[[Flow], Job]], *, progress: Progress = SILENT) -> None:
        """Run all jobs to their end, up to OBJECTS at once, taking them from `jobs` as places become free.

        An error a job does not handle ends the run; the other jobs are then closed and get the chance to
        send (not to wait for) their clean-up.
        """
        source = iter(jobs)
        active: set[Flow] = set()
        ready: deque[Flow] = deque()
        more = True
        try:
            while True:
                while more and len(active) < OBJECTS and not ready:
                    start = next(source, None)
                    if start is None:
                        more = False
                        break
                    flow = Flow(self, ready)
                    flow.job = start(flow)
                    active.add(flow)
                    ready.append(flow)
                    self._advance(ready, active)
                if not active:
                    return
                progress.check()
                self.step()
                self._advance(ready, active)
        finally:
            for flow in active:
                flow.stop()

    @staticmethod
    def _advance(ready: deque[Flow], active: set[Flow]) -> None:
        while ready:
            flow = ready.popleft()
            if not flow.resume():
                active.discard(flow)

    def call_all(
        self, requests: Iterable[tuple[int, bytes, Callable[[Reply], None]]], *, progress: Progress = SILENT
    ) -> None:
        """Send many independent requests, a bounded number under way at once, and wait for all answers."""
        for kind, body, then in requests:
            while len(self._waiting) >= 4 * OBJECTS:
                progress.check()
                self.step()
            self.request(kind, body, then)
        while self._waiting:
            progress.check()
            self.step()

    # -- single operations -----------------------------------------------------------------------------

    def stat(self, path: bytes, *, follow: bool = True) -> Attrs | None:
        """What is at `path`, or None."""
        reply = self.ask(wire.STAT if follow else wire.LSTAT, wire.string(path))
        if reply.status is not None:
            if reply.status in (wire.NO_SUCH_FILE,):
                return None
            raise wire.refusal(reply, _shown(path))
        return reply.attrs()

    def make_folder(self, path: bytes) -> None:
        """Make `path` and its parents; what exists is fine, unreadable parents too."""
        reply = self.ask(wire.STAT, wire.string(path))
        if reply.kind == wire.ATTRS:
            return
        parent = path.rstrip(b"/").rpartition(b"/")[0]
        if parent:
            self.make_folder(parent)
        made = self.ask(wire.MKDIR, wire.string(path) + wire.uint32(0))
        if made.status != wire.OK and self.ask(wire.STAT, wire.string(path)).kind != wire.ATTRS:
            raise wire.refusal(made, _shown(path))

    def rename_request(self, old: bytes, new: bytes) -> tuple[int, bytes]:
        """The request that renames, replacing `new` where the server can do that in one step."""
        paths = wire.string(old) + wire.string(new)
        if "posix-rename@openssh.com" in self.extensions:
            return wire.EXTENDED, wire.string(b"posix-rename@openssh.com") + paths
        return wire.RENAME, paths

    def rename(self, old: bytes, new: bytes) -> None:
        """Rename, replacing `new`."""
        reply = self.ask(*self.rename_request(old, new))
        if reply.status == wire.FAILURE and "posix-rename@openssh.com" not in self.extensions:
            self.ask(wire.REMOVE, wire.string(new))  # version 3 itself never replaces
            reply = self.ask(*self.rename_request(old, new))
        if reply.status != wire.OK:
            raise wire.refusal(reply, _shown(old))

    def free_space(self, path: bytes) -> int | None:
        """Bytes an ordinary user may still write, by statvfs@openssh.com; None where it is not offered."""
        if "statvfs@openssh.com" not in self.extensions:
            return None
        reply = self.ask(wire.EXTENDED, wire.string(b"statvfs@openssh.com") + wire.string(path))
        if reply.status is not None:
            return None
        reader = reply.extended()
        _, fragment, _, _, available = (reader.uint64() for _ in range(5))
        return fragment * available


class Flow:
    """What one job sends. The job yields the number of its requests that may stay unanswered."""

    def __init__(self, session: Session, ready: deque[Flow]) -> None:
        self.session = session
        self.job: Job | None = None
        self._ready = ready
        self._open = 0
        self._limit = 0
        self._sleeping = False

    def send(self, kind: int, body: bytes, then: Callable[[Reply], None]) -> None:
        """Ask without waiting."""
        self.session.request(kind, body, self._noting(then))

    def write(
        self, handle: bytes, offset: int, data: bytes | memoryview, then: Callable[[Reply], None]
    ) -> None:
        """Write without waiting."""
        self.session.write(handle, offset, data, self._noting(then))

    def _noting(self, then: Callable[[Reply], None]) -> Callable[[Reply], None]:
        self._open += 1

        def answered(reply: Reply) -> None:
            self._open -= 1
            then(reply)
            if self._sleeping and self._open <= self._limit:
                self._sleeping = False
                self._ready.append(self)

        return answered

    def ask(self, kind: int, body: bytes) -> Generator[int, None, Reply]:
        """Ask and wait, inside a job: `reply = yield from flow.ask(…)`."""
        answers: list[Reply] = []
        self.send(kind, body, answers.append)
        while not answers:
            yield self._open - 1
        return answers[0]

    def resume(self) -> bool:
        """Let the job go on until it has to wait; False once it has ended."""
        if self.job is None:
            return False
        for limit in self.job:
            self._limit = max(0, limit)
            if self._open > self._limit:
                self._sleeping = True
                return True
        self.job = None
        return False

    def stop(self) -> None:
        """Close the job early; its clean-up may still send."""
        if self.job is not None:
            with suppress(ConnectionLost):
                self.job.close()
            self.job = None


def expect_ok(reply: Reply, name: str) -> None:
    """Raise what a refusing answer means; `name` is what it was about."""
    if reply.status != wire.OK:
        raise wire.refusal(reply, name)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")
