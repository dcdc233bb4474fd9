"""Content to put into stores, and what became of it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from modelkeep.core.errors import StoreFailed
from modelkeep.core.progress import Progress
from modelkeep.core.stores.base import Incoming, Store


def some_objects(count: int, size: int = 300, seed: int = 1) -> dict[str, bytes]:
    """Keys in the form of objects, with random content."""
    rng = random.Random(seed)
    found = {}
    for _ in range(count):
        data = rng.randbytes(size)
        name = hashlib.md5(data).hexdigest()
        found[f"files/md5/{name[:2]}/{name[2:]}"] = data
    return found


def incoming(
    key: str, data: bytes, *, piece: int = 1 << 16, wrong: bool = False, at_once: bool = True
) -> Incoming:
    """`data` in pieces; `wrong` content raises at its end, as a hash that does not match does."""

    def chunks() -> Iterator[bytes]:
        for at in range(0, len(data), piece):
            yield data[at : at + piece]
        if wrong:
            raise StoreFailed("the content is wrong")

    def whole() -> bytes:
        return b"".join(chunks())

    return Incoming(
        key,
        chunks(),
        len(data),
        lambda: hashlib.md5(data).hexdigest(),
        chunks,
        whole=whole if at_once else None,
    )


@dataclass
class Written:
    """What a store reported while it wrote."""

    done: dict[str, int] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)


def put(store: Store, data: dict[str, bytes], progress: Progress | None = None) -> Written:
    """Write everything and return what was reported."""
    written = Written()
    items = (incoming(key, content) for key, content in data.items())
    store.write_many(items, progress or Progress(), written.done.__setitem__, written.failed.__setitem__)
    return written


def noting(item: Incoming, again: list[str]) -> Incoming:
    """The same item; its key is added to `again` whenever it is sent from its beginning once more."""
    reopen = item.reopen
    assert reopen is not None

    def chunks() -> Iterator[bytes]:
        again.append(item.key)
        yield from reopen()

    return Incoming(item.key, item.chunks, item.size, item.checksum, chunks)
