"""Reads objects of this machine for a transfer, each verified before or while it goes on its way. Knows no network.

A small object is read at once and has its right name before its first byte is sent. A large one streams, and is
found wrong after its last byte at the latest. What a server sends is a stream in any case.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator

from modelkeep.core.engine.hashing import Verifier
from modelkeep.core.engine.objectstore import ObjectStore
from modelkeep.core.errors import CorruptObject, UnsafePath
from modelkeep.core.progress import Progress
from modelkeep.core.stores.base import Incoming
from modelkeep.core.stores.local import LocalStore
from modelkeep.core.stores.readahead import ahead
from modelkeep.core.values import ObjectId

#: Bytes. Smaller objects are read at once.
SMALL = 1 << 20
#: Bytes. From here on a thread of its own reads and hashes; below, handing over between threads costs more.
LARGE = 4 << 20
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Reader:
    """The objects of `source` as contents for another store. `damaged` is told which turned out wrong."""

    def __init__(self, source: ObjectStore, progress: Progress, damaged: Callable[[ObjectId], None]) -> None:
        self.source = source
        self.progress = progress
        self.damaged = damaged
        self.is_local = source.store.traits.is_local
        self._folders: dict[str, str] = {}

    def incoming(self, oid: ObjectId, size: int, chunks: Iterator[bytes] | None = None) -> Incoming:
        """`oid` as a content of `size` bytes; `chunks` where the source is already sending it."""
        key = oid.key
        content = _Content(self, oid, key, size)
        return Incoming(
            key,
            content.again() if chunks is None else content.verified(chunks),
            size,
            content.checksum,
            content.again,
            in_order=chunks is not None,  # a server sends one content after the other
            whole=content.whole if self.is_local and size <= SMALL and not oid.legacy else None,
        )

    def small(self, key: str, size: int) -> bytes:
        """The bytes of a file that should have this size, or b"" for anything out of the ordinary."""
        folder, _, name = key.rpartition("/")
        try:
            where = self._folders.get(folder) or self._folder(folder)
            file = os.open(f"{where}/{name}", _READ)
        except (OSError, UnsafePath):
            return b""
        try:
            return os.read(file, size + 1)
        except OSError:
            return b""
        finally:
            os.close(file)

    def _folder(self, folder: str) -> str:
        # Looked at once, with all checks that the store has for a path: the objects of a folder share it.
        assert isinstance(self.source.store, LocalStore)
        found = self._folders[folder] = os.path.dirname(self.source.store.path(f"{folder}/x"))
        return found


class _Content:
    """One object on its way; `checksum` is valid after one of its ways to be read came to its end."""

    __slots__ = ("_key", "_oid", "_reader", "_size", "_sum")

    def __init__(self, reader: Reader, oid: ObjectId, key: str, size: int) -> None:
        self._reader = reader
        self._oid = oid
        self._key = key
        self._size = size
        self._sum = ""

    def checksum(self) -> str:
        """The plain MD5 of what was read."""
        return self._sum

    def whole(self) -> bytes:
        """All of it, verified; raises what `again` raises."""
        data = self._reader.small(self._key, self._size)
        found = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if len(data) != self._size or found != self._oid.hash:
            return b"".join(self.again())  # it says what is wrong
        self._sum = found
        return data

    def again(self) -> Iterator[bytes]:
        """It as a stream, from its beginning."""
        reader = self._reader
        verified = self.verified(reader.source.store.read(self._key, progress=reader.progress))
        # While one part of a large object is on its way, the next is read and hashed.
        yield from ahead(verified) if reader.is_local and self._size >= LARGE else verified

    def verified(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """`chunks`, which raise CorruptObject at their end if they are not the object's bytes."""
        verifier = Verifier(self._oid, self._reader.source.name, size=self._size)
        try:
            yield from verifier.chunks(chunks)
        except CorruptObject:
            self._reader.damaged(self._oid)
            raise
        self._sum = verifier.raw()
