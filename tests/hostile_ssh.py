"""An SSH server that does what a test tells it, also what no decent server would, and notes every secret it gets.

Made with paramiko's server half, because sshd cannot be made to misbehave. Nobody gets further than the login.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_PARTIALLY_SUCCESSFUL, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

Prompts = Sequence[tuple[str, bool]]


@dataclass
class Round:
    """One round of questions, and the answers that let on to the next; None takes whatever comes."""

    prompts: Prompts
    right: Sequence[str] | None = None
    title: str = ""
    instructions: str = ""
    pause: float = 0  # seconds until it goes on


@dataclass
class Script:
    """How the server behaves. `steps` are the methods it wants, one after the other; each may be several, as in
    "password,keyboard-interactive"."""

    steps: Sequence[str] = ("password",)
    password: str = "right"
    rounds: Sequence[Round] = ()
    banner: str = ""
    expired: str = ""  # said instead of an answer to the right password
    hangs_up_after: int = 99  # refusals
    farewell: bool = True  # says so before


@dataclass
class Seen:
    """What reached the server. `users` are names, `secrets` whatever was typed or kept, with how it was sent."""

    connections: int = 0
    users: set[str] = field(default_factory=set)
    secrets: list[tuple[str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


class _Login(paramiko.ServerInterface):
    def __init__(self, script: Script, seen: Seen, transport: paramiko.Transport) -> None:
        self._script, self._seen, self._transport = script, seen, transport
        self._step = self._round = self._refusals = 0

    def get_allowed_auths(self, username: str) -> str:
        self._seen.users.add(username)
        return self._script.steps[min(self._step, len(self._script.steps) - 1)]

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def get_banner(self) -> tuple[str, str]:
        return (self._script.banner, "") if self._script.banner else (None, None)  # type: ignore[return-value]

    def check_auth_none(self, username: str) -> int:
        self._seen.users.add(username)
        return AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        self._seen.secrets.append(("password", password))
        if password == self._script.password and self._script.expired:
            message = paramiko.Message()
            message.add_byte(bytes([60]))
            message.add_string(self._script.expired)
            message.add_string("")
            self._transport._send_message(message)
            raise _Answered
        return self._verdict("password", password == self._script.password)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self._seen.keys.append(key.fingerprint)
        return self._verdict("publickey", True)

    def check_auth_interactive(self, username: str, submethods: str) -> int | paramiko.InteractiveQuery:
        self._round = 0
        return self._ask() if self._script.rounds else self._verdict("keyboard-interactive", False)

    def check_auth_interactive_response(self, responses: list[str]) -> int | paramiko.InteractiveQuery:
        self._seen.secrets += [("answer", text) for text in responses]
        time.sleep(self._script.rounds[self._round].pause)
        right = self._script.rounds[self._round].right
        if right is not None and list(responses) != list(right):
            return self._verdict("keyboard-interactive", False)
        self._round += 1
        if self._round < len(self._script.rounds):
            return self._ask()
        return self._verdict("keyboard-interactive", True)

    def _ask(self) -> paramiko.InteractiveQuery:
        now = self._script.rounds[self._round]
        query = paramiko.InteractiveQuery(now.title, now.instructions)
        for text, is_shown in now.prompts:
            query.add_prompt(text, is_shown)
        return query

    def _verdict(self, method: str, is_right: bool) -> int:
        if not is_right or method not in self.get_allowed_auths("").split(","):
            self._refusals += 1
            if self._refusals >= self._script.hangs_up_after:
                self._say_farewell()
            return AUTH_FAILED
        self._step += 1
        return AUTH_SUCCESSFUL if self._step == len(self._script.steps) else AUTH_PARTIALLY_SUCCESSFUL

    def _say_farewell(self) -> None:
        if self._script.farewell:
            message = paramiko.Message()
            message.add_byte(bytes([1]))
            message.add_int(2)
            message.add_string("Too many authentication failures")
            message.add_string("")
            self._transport._send_message(message)
        self._transport.close()


class _Answered(Exception):
    """The answer has been sent by hand."""


class HostileServer:
    """Listens on a free port of this machine until it is closed."""

    def __init__(self, key: Path, script: Script) -> None:
        self._key = paramiko.PKey.from_path(str(key))
        self.script = script
        self.seen = Seen()
        self.public = Path(f"{key}.pub").read_text().split()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._transports: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def known_hosts(self) -> str:
        return f"[127.0.0.1]:{self.port} {self.public[0]} {self.public[1]}\n"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.seen.connections += 1
            transport = paramiko.Transport(sock)
            transport.set_log_channel("tests.hostile")
            transport.add_server_key(self._key)
            self._transports.append(transport)
            with suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(
                    event=threading.Event(), server=_Login(self.script, self.seen, transport)
                )

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(2)
        for transport in self._transports:
            transport.close()
            transport.join(2)


@contextmanager
def hostile_server(key: Path, script: Script) -> Iterator[HostileServer]:
    """A HostileServer with the host key in `key`, gone when the block ends."""
    server = HostileServer(key, script)
    try:
        yield server
    finally:
        server.close()
