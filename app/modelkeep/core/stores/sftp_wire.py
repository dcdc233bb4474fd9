"""The messages of SFTP version 3 as bytes (draft-ietf-secsh-filexfer-02, OpenSSH's PROTOCOL). Pure; does no I/O."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from typing import NamedTuple

from modelkeep.core.errors import ConnectionLost, ModelkeepError, NotFound, StoreFailed

INIT, VERSION = 1, 2
OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT = 3, 4, 5, 6, 7, 8
OPENDIR, READDIR, REMOVE, MKDIR, REALPATH, STAT, RENAME = 11, 12, 13, 14, 16, 17, 18
STATUS, HANDLE, DATA, NAME, ATTRS, EXTENDED, EXTENDED_REPLY = 101, 102, 103, 104, 105, 200, 201

READABLE, WRITABLE, CREATE, EXCLUSIVE = 0x01, 0x02, 0x08, 0x20
OK, EOF, NO_SUCH_FILE, DENIED, FAILURE, UNSUPPORTED = 0, 1, 2, 3, 4, 8

_HAS_SIZE, _HAS_IDS, _HAS_MODE, _HAS_TIMES, _HAS_MORE = 0x1, 0x2, 0x4, 0x8, 0x80000000

_USUAL = _HAS_SIZE | _HAS_IDS | _HAS_MODE | _HAS_TIMES
_USUAL_ATTRS = struct.Struct(">Q8xI4xI")
_USUAL_SIZE = _USUAL_ATTRS.size


def uint32(value: int) -> bytes:
    return struct.pack(">I", value)


def uint64(value: int) -> bytes:
    return struct.pack(">Q", value)


def string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def packet(kind: int, number: int, body: bytes) -> bytes:
    """A whole request as it goes over the wire."""
    return struct.pack(">IBI", len(body) + 5, kind, number) + body


def write_head(number: int, handle: bytes, offset: int, size: int) -> bytes:
    """A request to write, up to the bytes themselves; `handle` as `string` makes it."""
    length = 5 + len(handle) + 12 + size
    return struct.pack(">IBI", length, WRITE, number) + handle + struct.pack(">QI", offset, size)


class Attrs(NamedTuple):
    """What a server says about a file; None where it does not say. `mtime` is in seconds since 1970."""

    size: int | None
    mode: int | None
    mtime: int | None = None

    @property
    def is_file(self) -> bool:
        return self.mode is None or stat.S_ISREG(self.mode)

    @property
    def is_dir(self) -> bool:
        return self.mode is not None and stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        return self.mode is not None and stat.S_ISLNK(self.mode)


class Reader:
    """Takes values off the front of a message; a message that is too short raises ConnectionLost."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    def uint32(self) -> int:
        at = self._at
        if at + 4 > len(self._data):
            raise garbled()
        self._at = at + 4
        return int.from_bytes(self._data[at : at + 4], "big")

    def uint64(self) -> int:
        return int(self._take(">Q", 8))

    def _take(self, form: str, size: int) -> int:
        if self._at + size > len(self._data):
            raise garbled()
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += size
        return int(value)

    def string(self) -> bytes:
        size = self.uint32()
        end = self._at + size
        if end > len(self._data):
            raise garbled()
        value = self._data[self._at : end]
        self._at = end
        return value

    def attrs(self) -> Attrs:
        flags = self.uint32()
        if flags == _USUAL and self._at + _USUAL_SIZE <= len(self._data):
            found = _USUAL_ATTRS.unpack_from(self._data, self._at)
            self._at += _USUAL_SIZE
            return Attrs._make(found)
        size = self.uint64() if flags & _HAS_SIZE else None
        if flags & _HAS_IDS:
            self.uint64()
        mode = self.uint32() if flags & _HAS_MODE else None
        mtime = self.uint64() & 0xFFFFFFFF if flags & _HAS_TIMES else None
        if flags & _HAS_MORE:
            for _ in range(self.uint32()):
                self.string(), self.string()
        return Attrs(size, mode, mtime)

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._data)


def garbled() -> ConnectionLost:
    """The error for an answer that is not SFTP."""
    return ConnectionLost(
        "The server's answer is not valid SFTP.",
        hint="A start-up script on the server may print text; check with `sftp` by hand.",
        reason="garbled",
    )


class Reply(NamedTuple):
    """An answer of the server, not yet looked into."""

    kind: int
    body: bytes

    @property
    def status(self) -> int | None:
        """The status code, or None for any other kind of answer."""
        if self.kind != STATUS:
            return None
        return int.from_bytes(self.body[:4], "big") if len(self.body) >= 4 else FAILURE

    @property
    def text(self) -> str:
        """What the server says with a status."""
        reader = Reader(self.body)
        reader.uint32()
        return "" if reader.at_end else reader.string().decode("utf-8", "replace")

    def handle(self) -> bytes:
        return self._expect(HANDLE).string()

    def data(self) -> bytes:
        return self._expect(DATA).string()

    def attrs(self) -> Attrs:
        return self._expect(ATTRS).attrs()

    @property
    def how_many(self) -> int:
        """How many names there are."""
        return self._expect(NAME).uint32()

    def names(self) -> Iterator[tuple[bytes, Attrs]]:
        reader = self._expect(NAME)
        for _ in range(reader.uint32()):
            name, _, attrs = reader.string(), reader.string(), reader.attrs()
            yield name, attrs

    def extended(self) -> Reader:
        return self._expect(EXTENDED_REPLY)

    def _expect(self, kind: int) -> Reader:
        if self.kind != kind:
            raise garbled()
        return Reader(self.body)


def refusal(reply: Reply, name: str) -> ModelkeepError:
    """The error for a status that is not OK, about the file or folder `name`."""
    code = reply.status
    if code == NO_SUCH_FILE:
        return NotFound(f"{name} does not exist on the server.", paths=(name,))
    if code == DENIED:
        return StoreFailed(
            f"The server denies access to {name}.",
            hint="Check who owns the folder on the server and its permissions.",
            paths=(name,),
        )
    detail = reply.text if code is not None else "unexpected answer"
    return StoreFailed(
        f"The server could not do what was asked with {name}.",
        detail=f"It says: {detail}" if detail else "",
        hint="The disk or quota of the server may be full.",
        paths=(name,),
    )
