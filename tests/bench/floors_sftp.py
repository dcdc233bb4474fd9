"""Sends the files of a folder by SFTP as fast as one paramiko channel allows: the floor of pushing small files.

    floors_sftp.py HOST PORT USER KEY FOLDER REMOTE-FOLDER IN-FLIGHT

Requests are written by hand, and many are under way before the first is answered. Each file is opened under a
temporary name, written, closed and renamed. No sync, no look at what is there, no second try; a file is read
whole, so this is for small ones. Protocol: draft-ietf-secsh-filexfer-02. Knows nothing of Modelkeep.
"""

import os
import struct
import sys
from collections.abc import Callable, Iterator

import paramiko

_INIT, _OPEN, _CLOSE, _WRITE, _MKDIR, _RENAME = 1, 3, 4, 6, 14, 18
_STATUS, _HANDLE = 101, 102
_LARGEST = 32 << 10  # what every server takes in one request
_CREATE = 0x02 | 0x08 | 0x10  # write, create, truncate

#: What is to be done with the answer to a request: its kind and the rest of it.
Then = Callable[[int, bytes], None]


def _text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">I", len(data)) + data


class Pipeline:
    """One SFTP channel with many requests under way. `run` takes pieces of work while fewer than `limit` are."""

    def __init__(self, channel: paramiko.Channel, limit: int) -> None:
        self._channel, self._limit = channel, limit
        self._waiting: dict[int, Then] = {}
        self._out: list[bytes] = []
        self._in = b""
        self._next = 0
        self.under_way = 0
        channel.sendall(struct.pack(">IBI", 5, _INIT, 3))
        while len(self._in) < 4 or len(self._in) < 4 + struct.unpack(">I", self._in[:4])[0]:
            self._in += channel.recv(4096)
        self._in = b""

    def ask(self, kind: int, body: bytes, then: Then) -> None:
        """Send a request with the next flush."""
        self._next += 1
        self._waiting[self._next] = then
        self._out.append(struct.pack(">IBI", len(body) + 5, kind, self._next) + body)

    def run(self, work: Iterator[Callable[[], None]]) -> None:
        """Begin all of `work`, never more than the limit at a time, and wait until every answer is in."""
        is_more = True
        while is_more or self._waiting:
            while is_more and self.under_way < self._limit:
                begin = next(work, None)
                if begin is None:
                    is_more = False
                else:
                    self.under_way += 1
                    begin()
            if self._out:
                self._channel.sendall(b"".join(self._out))
                self._out.clear()
            if self._waiting:
                self._receive()

    def _receive(self) -> None:
        data = self._channel.recv(1 << 17)
        if not data:
            raise SystemExit("the server closed the channel")
        self._in += data
        start = 0
        while len(self._in) - start >= 4:
            (length,) = struct.unpack_from(">I", self._in, start)
            if len(self._in) - start - 4 < length:
                break
            kind, number = struct.unpack_from(">BI", self._in, start + 4)
            self._waiting.pop(number)(kind, self._in[start + 9 : start + 4 + length])
            start += 4 + length
        self._in = self._in[start:]


def put(line: Pipeline, source: str, target: str) -> Callable[[], None]:
    """The work of sending one file."""
    temporary = f"{target}.tmp"

    def begin() -> None:
        line.ask(_OPEN, _text(temporary) + struct.pack(">II", _CREATE, 0), opened)

    def opened(kind: int, body: bytes) -> None:
        if kind != _HANDLE:
            raise SystemExit(f"cannot open {temporary}")
        handle = body[: 4 + struct.unpack(">I", body[:4])[0]]
        with open(source, "rb", buffering=0) as file:
            data = file.read()
        for start in range(0, len(data), _LARGEST):
            line.ask(_WRITE, handle + struct.pack(">Q", start) + _text(data[start : start + _LARGEST]), _well)
        line.ask(_CLOSE, handle, closed)

    def closed(kind: int, body: bytes) -> None:
        _well(kind, body)
        line.ask(_RENAME, _text(temporary) + _text(target), renamed)

    def renamed(kind: int, body: bytes) -> None:
        _well(kind, body)
        line.under_way -= 1

    return begin


def make_folder(line: Pipeline, path: str) -> Callable[[], None]:
    """The work of making one folder; it may be there already."""

    def made(_kind: int, _body: bytes) -> None:
        line.under_way -= 1

    return lambda: line.ask(_MKDIR, _text(path) + struct.pack(">I", 0), made)


def _well(kind: int, body: bytes) -> None:
    if kind != _STATUS or body[:4] != b"\0\0\0\0":
        raise SystemExit(f"the server refused: {body!r}")


def main() -> None:
    """Connect, make the folders in one burst, and send all files."""
    host, port, user, key, folder, remote, in_flight = sys.argv[1:]
    transport = paramiko.Transport((host, int(port)))
    transport.get_security_options().ciphers = ["aes128-gcm@openssh.com"]
    transport.connect(username=user, pkey=paramiko.PKey.from_path(key))
    channel = transport.open_session()
    channel.invoke_subsystem("sftp")
    line = Pipeline(channel, int(in_flight))
    parts = remote.split("/")
    for end in range(2, len(parts) + 1):  # parents first
        line.run(iter([make_folder(line, "/".join(parts[:end]))]))
    names = sorted(os.listdir(folder))
    line.run(make_folder(line, f"{remote}/{name}") for name in names)
    line.run(
        put(line, f"{folder}/{name}/{rest}", f"{remote}/{name}/{rest}")
        for name in names
        for rest in os.listdir(f"{folder}/{name}")
    )
    transport.close()


if __name__ == "__main__":
    main()
