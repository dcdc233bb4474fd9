"""Names objects by their content: plain MD5, and the two older ways that DVC 2 left behind. Knows no stores.

Large reads release the interpreter lock, so two big files hash on two cores. A legacy name (`ObjectId.legacy`)
is the MD5 of the text with CR LF read as LF; which blocks count as text differs between DVC 2 and DVC 3
(dvc-format, appendix A), so a legacy object is right when any of the three digests is its name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from modelkeep.core.errors import CorruptObject
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import ObjectId

#: Bytes per read. DVC's legacy digests depend on exactly this size; it also suits the disk.
CHUNK = 1 << 20
_TEXT = bytes(range(0x20, 0x7F)) + b"\n\r\t\f\b"
_LOOK = 512


def read_chunks(file: int, progress: Progress = SILENT) -> Iterator[bytes]:
    """The rest of an open file in pieces of 1 MiB; reports their bytes, raises OSError and Cancelled."""
    part = min(CHUNK, os.fstat(file).st_size + 1)  # room for 1 MiB would cost more than reading a small file
    while chunk := os.read(file, part):
        progress.advance(len(chunk))
        yield chunk
        part = CHUNK


def hash_bytes(data: bytes) -> str:
    """The MD5 of `data` as 32 hex digits."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def hash_file(path: Path | str, progress: Progress = SILENT) -> str:
    """The MD5 of the file at `path`; reports its bytes. Raises OSError, Cancelled. Safe from any thread."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb", buffering=0) as file:
        for chunk in read_chunks(file.fileno(), progress):
            digest.update(chunk)
    return digest.hexdigest()


def is_text(block: bytes) -> bool:
    """Whether DVC takes a block for text: no NUL, and at most 30 % bytes that text has no use for."""
    if not block:
        return True
    if b"\0" in block:
        return False
    return len(block.translate(None, _TEXT)) / len(block) <= 0.30


class LegacyDigest:
    """The two digests, beside plain MD5, that a legacy object may be named by, in one pass over its bytes.

    *Per file* is what DVC 1 and 2 wrote: text or not is decided once, by the start of the file. *Per chunk* is
    what DVC 3 computes: decided anew for each MiB.
    """

    def __init__(self) -> None:
        self._per_file = hashlib.md5(usedforsecurity=False)
        self._per_chunk = hashlib.md5(usedforsecurity=False)
        self._pending = bytearray()
        self._text_file: bool | None = None

    def update(self, data: bytes) -> None:
        """Take the next bytes, in pieces of any size."""
        self._pending += data
        while len(self._pending) >= CHUNK:
            self._block(bytes(self._pending[:CHUNK]))
            del self._pending[:CHUNK]

    def _block(self, block: bytes) -> None:
        text = is_text(block[:_LOOK])
        if self._text_file is None:
            self._text_file = text
        converted = block.replace(b"\r\n", b"\n") if text or self._text_file else block
        self._per_file.update(converted if self._text_file else block)
        self._per_chunk.update(converted if text else block)

    def finish(self) -> tuple[str, str]:
        """(per file, per chunk) once all bytes are in."""
        if self._pending:
            self._block(bytes(self._pending))
            self._pending.clear()
        return self._per_file.hexdigest(), self._per_chunk.hexdigest()


def hash_legacy(path: Path | str, progress: Progress = SILENT) -> tuple[str, str, str]:
    """The names that DVC 2, DVC 3 and plain MD5 give a legacy file: unchanged if any equals its record."""
    plain, legacy = hashlib.md5(usedforsecurity=False), LegacyDigest()
    with open(path, "rb", buffering=0) as file:
        for chunk in read_chunks(file.fileno(), progress):
            plain.update(chunk)
            legacy.update(chunk)
    return *legacy.finish(), plain.hexdigest()


class Verifier:
    """Passes an object's bytes on and raises CorruptObject after the last one if they are not the object's.

    `raw` is the plain MD5 of what passed, valid after the end: what `md5sum` says on a server. With `size`, a
    stream that is longer is broken off there, because a server may send without end.
    """

    def __init__(self, oid: ObjectId, where: str, *, size: int | None = None) -> None:
        self._oid = oid
        self._where = where
        self._size = size
        self._plain = hashlib.md5(usedforsecurity=False)
        self._legacy = LegacyDigest() if oid.legacy and not oid.is_dir else None
        self.passed = 0
        self.failed = False

    def raw(self) -> str:
        """The plain MD5 of the bytes that passed."""
        return self._plain.hexdigest()

    def chunks(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """`chunks`, hashed on their way."""
        for chunk in chunks:
            self._plain.update(chunk)
            if self._legacy:
                self._legacy.update(chunk)
            self.passed += len(chunk)
            if self._size is not None and self.passed > self._size:
                raise self._damaged("")
            yield chunk
        self._check()

    def _check(self) -> None:
        actual = self.raw()
        if actual == self._oid.hash:
            return
        if self._legacy is None or self._oid.hash not in self._legacy.finish():
            raise self._damaged(actual)

    def _damaged(self, actual: str) -> CorruptObject:
        self.failed = True
        return CorruptObject(self._oid.name, self._where, actual=actual)


def verifying(
    chunks: Iterable[bytes], oid: ObjectId, where: str = "storage", *, size: int | None = None
) -> Iterator[bytes]:
    """`chunks` unchanged; after the last one raises CorruptObject if they are not the bytes of `oid`."""
    return Verifier(oid, where, size=size).chunks(chunks)
