"""An ssh-agent for the tests: with a security key that nobody has to touch, or one that never answers."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_SK = b"sk-ssh-ed25519@openssh.com"
_APPLICATION = b"ssh:"


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


class SecurityKey:
    """What a hardware key does, in software (OpenSSH's PROTOCOL.u2f); counts how often it was touched."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.blob = _string(_SK) + _string(public) + _string(_APPLICATION)
        self.touched = 0

    def sign(self, data: bytes) -> bytes:
        self.touched += 1
        flags, counter = b"\x01", self.touched.to_bytes(4, "big")
        digest = hashlib.sha256(data).digest()
        signed = self._key.sign(hashlib.sha256(_APPLICATION).digest() + flags + counter + digest)
        return _string(_SK) + _string(signed) + flags + counter


class FakeAgent:
    """Holds one SecurityKey; `is_deaf` makes it answer nothing."""

    def __init__(self, path: Path, key: SecurityKey, *, is_deaf: bool = False) -> None:
        self._key, self._is_deaf = key, is_deaf
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._conns: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            self._conns.append(conn)
            with suppress(OSError):
                while not self._is_deaf and (head := conn.recv(4)):
                    request = conn.recv(int.from_bytes(head, "big"))
                    conn.sendall(_string(self._answer(request)))

    def _answer(self, request: bytes) -> bytes:
        if request[0] == 11:
            return bytes([12]) + (1).to_bytes(4, "big") + _string(self._key.blob) + _string(b"my token")
        rest = request[1 + 4 + len(self._key.blob) :]
        return bytes([14]) + _string(self._key.sign(rest[4 : 4 + int.from_bytes(rest[:4], "big")]))

    def close(self) -> None:
        for sock in (self._listener, *self._conns):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self._thread.join(2)


@contextmanager
def fake_agent(path: Path, key: SecurityKey, *, is_deaf: bool = False) -> Iterator[FakeAgent]:
    """A FakeAgent at the socket `path`, gone when the block ends."""
    agent = FakeAgent(path, key, is_deaf=is_deaf)
    try:
        yield agent
    finally:
        agent.close()
