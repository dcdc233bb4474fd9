"""Talks to the user's ssh-agent: which keys it holds, and signatures by them (draft-ietf-sshm-ssh-agent).

Waits in short slices, so that an agent that hangs, or a security key nobody touches, can be cancelled. Forwards
nothing. Knows no servers.
"""

from __future__ import annotations

import os
import select
import socket
import time
from typing import Any

from modelkeep.core.keyfile import certified, fields, fingerprint, type_of
from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores.ssh_library import paramiko

_LIST, _KEYS, _SIGN, _SIGNED = 11, 12, 13, 14
_FLAGS = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}
_LARGEST = 1 << 18  # OpenSSH's own limit
_PATIENCE = 5.0
_PERSON = 120.0  # seconds to confirm the use of a key, or to touch one
_SLICE = 0.2


class AgentFailed(Exception):
    """The agent does not answer, or does not want to sign; says why."""


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A key or certificate in the agent."""

    blob: bytes
    comment: str

    @property
    def public(self) -> bytes:
        """The plain public key, also of a certificate."""
        return certified(self.blob) or self.blob

    @property
    def type(self) -> str:
        return type_of(self.blob)

    @property
    def is_hardware(self) -> bool:
        """Whether somebody has to touch something."""
        return self.type.startswith("sk-")

    @property
    def title(self) -> str:
        """What people call it."""
        return f"agent key {self.comment or self.type} ({fingerprint(self.public)})"


class Agent:
    """An open connection to the agent at a socket, "" for the one of the environment. For one thread."""

    def __init__(self, path: str = "", progress: Progress = SILENT) -> None:
        self._progress = progress
        self._conn = _connected(path or os.environ.get("SSH_AUTH_SOCK", ""))

    @property
    def is_there(self) -> bool:
        return self._conn is not None

    def keys(self) -> tuple[AgentKey, ...]:
        """What the agent holds; nothing where there is none or it does not answer."""
        if self._conn is None:
            return ()
        try:
            said = self._ask(bytes([_LIST]), _KEYS, _PATIENCE)
            parts, _ = fields(said[4:], 2 * int.from_bytes(said[:4], "big"))
        except (AgentFailed, ValueError):
            return ()
        return tuple(
            AgentKey(blob, comment.decode("utf-8", "replace"))
            for blob, comment in zip(parts[::2], parts[1::2], strict=True)
        )

    def sign(self, key: AgentKey, data: bytes, algorithm: str) -> bytes:
        """The signature in SSH's form. Raises AgentFailed and Cancelled."""
        flags = _FLAGS.get(algorithm.removesuffix("-cert-v01@openssh.com"), 0)
        request = bytes([_SIGN]) + _string(key.blob) + _string(data) + flags.to_bytes(4, "big")
        said = self._ask(request, _SIGNED, _PERSON)
        return fields(said, 1)[0][0]

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _ask(self, request: bytes, expected: int, patience: float) -> bytes:
        if self._conn is None:
            raise AgentFailed("there is no agent")
        deadline = time.monotonic() + patience
        try:
            getattr(self._conn, "sendall", self._conn.send)(_string(request))
            size = int.from_bytes(self._read(4, deadline), "big")
            if not 0 < size <= _LARGEST:
                raise AgentFailed("the agent answers nonsense")
            said = self._read(size, deadline)
        except OSError as error:
            raise AgentFailed(str(error)) from error
        if said[0] != expected:
            raise AgentFailed("the agent refused")
        return said[1:]

    def _read(self, size: int, deadline: float) -> bytes:
        data = b""
        while len(data) < size:
            self._await(deadline)
            part = self._conn.recv(size - len(data))
            if not part:
                raise AgentFailed("the agent hung up")
            data += part
        return data

    def _await(self, deadline: float) -> None:
        if not isinstance(self._conn, socket.socket):
            return  # an agent of Windows is asked by paramiko, which waits
        while not select.select([self._conn], [], [], _SLICE)[0]:
            self._progress.check()
            if time.monotonic() > deadline:
                raise AgentFailed("the agent does not answer")


def _connected(path: str) -> Any:
    if os.name == "nt":
        return paramiko.agent.get_agent_connection()
    if not path or path == "none":
        return None
    conn = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    conn.settimeout(_PATIENCE)
    try:
        conn.connect(path)
    except OSError:
        conn.close()
        return None
    return conn


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
