"""An SSH server that lets nobody in and records every password and answer it is given, by the port it came to.

with recorder() as server:
    server.port          # a second port, `server.other`, is as good as another host
    server.heard         # [(port, user, password), …]
    server.visits        # {port: how many connections}
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import paramiko


class Recorder:
    """Everything that was said to it."""

    def __init__(self) -> None:
        self.key = paramiko.ECDSAKey.generate(bits=256)
        self.heard: list[tuple[int, str, str]] = []
        self.visits: dict[int, int] = {}
        self._transports: list[Any] = []
        self._listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.port, self.other = (int(one.getsockname()[1]) for one in self._listeners)
        self._threads = [threading.Thread(target=self._listen, args=(one,)) for one in self._listeners]
        for thread in self._threads:
            thread.start()

    def forget(self) -> None:
        """Begin a new record."""
        self.heard.clear()
        self.visits.clear()

    def _listen(self, listener: socket.socket) -> None:
        port = int(listener.getsockname()[1])
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.visits[port] = self.visits.get(port, 0) + 1
            transport = paramiko.Transport(sock)
            transport.add_server_key(self.key)
            self._transports.append(transport)
            with suppress(paramiko.SSHException, EOFError):
                transport.start_server(server=_Ear(self, port), event=threading.Event())

    def close(self) -> None:
        for listener in self._listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in self._threads:
            thread.join()
        for transport in self._transports:
            transport.close()


class _Ear(paramiko.ServerInterface):
    def __init__(self, recorder: Recorder, port: int) -> None:
        self._recorder = recorder
        self._port = port

    def get_allowed_auths(self, username: str) -> str:
        return "publickey,keyboard-interactive,password"

    def check_auth_password(self, username: str, password: str) -> int:
        self._recorder.heard.append((self._port, username, password))
        return paramiko.AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> Any:
        self._user = username
        return paramiko.InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        self._recorder.heard += [(self._port, self._user, response) for response in responses]
        return paramiko.AUTH_FAILED


@contextmanager
def recorder() -> Iterator[Recorder]:
    """A Recorder that is gone when the block ends."""
    server = Recorder()
    try:
        yield server
    finally:
        server.close()
