"""Ways to a server: TCP, and a program that carries the connection. Knows no SSH.

Nothing here waits for ever, and a cancel ends every wait.
"""

from __future__ import annotations

import errno
import os
import queue
import select
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from typing import Any

from modelkeep.core.errors import ConnectionLost, StoreFailed
from modelkeep.core.paths import visible
from modelkeep.core.progress import Progress
from modelkeep.core.stores.ssh_stages import Reached, Stage, nothing

_SLICE = 0.2  # seconds between two looks at whether to go on
_LAST_WORDS = 2000  # bytes of what a program complained about


def connect_tcp(
    host: str, port: int, timeout: float, progress: Progress, reached: Reached = nothing
) -> socket.socket:
    """A connected socket; tries every address of `host`. Cancel ends the wait. Raises ConnectionLost."""
    deadline = time.monotonic() + timeout
    problem: OSError | None = None
    found = _addresses(host, port, deadline, progress)
    reached(Stage.RESOLVED, ", ".join(dict.fromkeys(str(place[0]) for *_, place in found)))
    for left, (family, kind, protocol, _, place) in zip(range(len(found), 0, -1), found, strict=True):
        sock = socket.socket(family, kind, protocol)
        now = time.monotonic()
        try:  # an address that swallows everything must leave time for the others
            _connect(sock, place, now + max(0.0, deadline - now) / left, progress)
        except OSError as error:
            sock.close()
            problem = error
            continue
        except BaseException:
            sock.close()
            raise
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reached(Stage.CONNECTED, f"{place[0]} port {port}")
        return sock
    raise _unreachable(host, port, problem)


def _connect(sock: socket.socket, place: Any, deadline: float, progress: Progress) -> None:
    sock.setblocking(False)
    sock.connect_ex(place)
    while True:
        progress.check()
        _, ready, failed = select.select([], [sock], [sock], _SLICE)
        if ready or failed:
            break
        if time.monotonic() > deadline:
            raise TimeoutError("no answer")
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def _addresses(host: str, port: int, deadline: float, progress: Progress) -> list[Any]:
    # getaddrinfo cannot be interrupted, so it gets a thread that may be left behind.
    answers: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:  # a label that is too long is no name either
            answers.put(error)

    threading.Thread(target=look_up, name=f"look up {host}", daemon=True).start()
    while time.monotonic() < deadline:
        progress.check()
        with suppress(queue.Empty):
            found = answers.get(timeout=_SLICE)
            if isinstance(found, list):
                return found
            raise _no_name(host, found) from found
    raise ConnectionLost(
        f"The name {host} cannot be looked up: no answer.",
        hint="Check the network of this computer, and whether a VPN is needed.",
        reason="name_unknown",
    )


def _no_name(host: str, error: Exception) -> ConnectionLost | StoreFailed:
    if isinstance(error, OSError) and error.errno == socket.EAI_AGAIN:
        return ConnectionLost(
            f"The name {host} cannot be looked up now.",
            hint="Check the network of this computer, and whether a VPN is needed.",
            reason="name_unknown",
        )
    return StoreFailed(
        f"No server is named {host}.",
        hint="Check the address of the remote for a typing error. A name that only exists inside your "
        "institution needs its network or VPN; a short name needs a Host entry in ~/.ssh/config.",
        reason="name_unknown",
    )


def _unreachable(host: str, port: int, error: OSError | None) -> ConnectionLost:
    place = f"{host}:{port}"
    if error is not None and error.errno == errno.ECONNREFUSED:
        return ConnectionLost(
            f"{place} cannot be reached: Connection refused.",
            hint=f"The computer is there, but nothing listens on port {port}. Check the port, and whether its SSH "
            "server runs.",
            reason="port_refused",
        )
    why = getattr(error, "strerror", None) or str(error or "no address")
    return ConnectionLost(
        f"{place} cannot be reached: {why}.",
        hint="Check the address, the network, and whether a VPN is needed. A firewall may also drop the connection.",
        reason="unreachable",
    )


class Proxy:
    """A program of the user's ~/.ssh/config that carries the connection; its ends are one socket."""

    def __init__(self, command: str) -> None:
        if os.name == "nt":
            raise StoreFailed(
                "ProxyCommand is not supported on Windows.",
                hint="Use ProxyJump instead.",
                reason="proxy_failed",
            )
        self._command = command
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the program
        self.sock, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._complaints,
            )

    def failed(self, host: str) -> ConnectionLost:
        """The error for a program that brought no connection, with what it said."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_SLICE)
        self._complaints.seek(0)
        said = self._complaints.read(_LAST_WORDS).decode("utf-8", "replace").strip()
        code = self._process.poll()
        ended = f" It ended with code {code}." if code is not None else ""
        return ConnectionLost(
            f"The ProxyCommand of ~/.ssh/config brought no connection to {host}.{ended}",
            detail="\n".join([visible(self._command), *map(visible, said.splitlines())]),
            hint="Run the command in a terminal; it should print a line that begins with SSH-2.0.",
            reason="proxy_failed",
        )

    def close(self) -> None:
        self.sock.close()
        self._process.terminate()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaints.close()
