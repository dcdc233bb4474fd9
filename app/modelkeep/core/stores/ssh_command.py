"""A command that runs on a server, over a session of a connection. Knows no stores and no logins."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from modelkeep.core.errors import ConnectionLost
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores.ssh_library import paramiko
from modelkeep.core.stores.ssh_wire import Pipe, Wire

_BITE = 1 << 20


class Link(Protocol):
    """The connection a command runs over."""

    wire: Wire

    @property
    def is_alive(self) -> bool: ...

    def lost(self, error: BaseException) -> ConnectionLost: ...


class Command:
    """A command at work on the server; its output is small and read at the end."""

    _MOST = 8 << 20

    def __init__(self, channel: Any, link: Link, silence: float) -> None:
        self._channel = channel
        self._link = link
        self._pipe = Pipe(channel, link.wire, silence)
        self._output = bytearray()
        channel.set_combine_stderr(False)

    def feed(self, data: bytes, progress: Progress) -> None:
        """Send `data` to its input. Raises OSError or EOFError if it takes no more; a cancel ends it soon."""
        self._pipe.watch(progress)
        view = memoryview(data)
        while view:
            count = self._pipe.send(view)
            if not count:
                raise EOFError
            view = view[count:]

    def end_of_input(self) -> None:
        """Nothing more will be fed. Raises nothing: an end that was there before is as good."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.shutdown_write()

    def receive(self) -> bytes:
        """Output that is here, or b"" at its end. Raises OSError after a long silence, Cancelled."""
        return self._pipe.recv(_BITE)

    def close(self) -> None:
        """Let go of it, whether or not it has ended. Raises nothing."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            self._pipe.close()

    def abandon(self, deadline: float) -> None:
        """Let it clean up behind itself, after the end of its input, until `deadline`. Raises nothing."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            while (left := deadline - time.monotonic()) > 0:
                self._pipe.watch(SILENT, left)
                if not self._pipe.recv(1 << 16):
                    break
        self.close()

    def wait(
        self, progress: Progress, still_there: Callable[[], None], every: float, most: int | None = None
    ) -> tuple[int, bytes]:
        """(exit code, output) once it ends, however long it takes; it is broken off after `most` bytes.

        `still_there` is called every few seconds and raises ConnectionLost if the link is dead. Where the link
        broke before the end, ConnectionLost is raised: then nobody knows how the command ended.
        """
        asked = time.monotonic()
        try:
            while True:
                progress.check()
                try:
                    with progress.interrupting(self._link.wire.hurry):  # what is taken has to be confirmed
                        data = self._channel.recv(1 << 16)
                except TimeoutError:
                    if time.monotonic() - asked > every:
                        still_there()
                        asked = time.monotonic()
                    continue
                except OSError as error:
                    raise self._link.lost(error) from error
                self._output += data
                if not data or len(self._output) > (most or self._MOST):
                    return self._code() if not data else -1, bytes(self._output)
        except BaseException:
            self.close()
            raise
        finally:
            with suppress(OSError, EOFError):
                self._channel.close()

    def _code(self) -> int:
        code = self._said_code()
        if code < 0 and not self._link.is_alive:
            raise self._link.lost(EOFError("a command was cut off"))
        return code

    def _said_code(self) -> int:
        for _ in range(25):  # the code comes with or just after the end of the output
            if self._channel.exit_status_ready():
                return int(self._channel.recv_exit_status())
            time.sleep(0.02)
        return -1
