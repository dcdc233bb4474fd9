"""Reading objects for a transfer: small ones at once, large ones a little ahead, wrong ones never unnoticed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import builders
from modelkeep.core.engine import transfer_read
from modelkeep.core.engine.cache import open_cache
from modelkeep.core.engine.transfer_read import Reader, ahead
from modelkeep.core.errors import CorruptObject, NotFound
from modelkeep.core.progress import Progress
from modelkeep.core.values import ObjectId


def reader_of(root: Path, damaged: list[ObjectId]) -> Reader:
    return Reader(open_cache(root / "cache", root / "quarantine"), Progress(), damaged.append)


@pytest.mark.parametrize("size", [0, 1, 100_000, transfer_read.LARGE + 1])
def test_content_comes_whole_and_in_pieces_and_again(tmp_path: Path, size: int) -> None:
    data = builders.some_bytes(size, seed=size)
    oid = ObjectId(builders.put_object(tmp_path / "cache", data))
    item = reader_of(tmp_path, []).incoming(oid, size)
    assert b"".join(item.chunks) == data
    assert item.checksum is not None and item.checksum() == oid.hash
    assert item.reopen is not None and b"".join(item.reopen()) == data
    assert (item.whole is not None) == (size <= transfer_read.SMALL)
    if item.whole is not None:
        assert item.whole() == item.whole() == data


@pytest.mark.parametrize("damage", ["flipped", "longer", "shorter", "gone", "a link to nowhere"])
@pytest.mark.parametrize("size", [1000, transfer_read.LARGE])
def test_damage_is_found_however_it_is_read(tmp_path: Path, damage: str, size: int) -> None:
    data = builders.some_bytes(size, seed=7)
    oid = ObjectId(builders.put_object(tmp_path / "cache", data))
    path = tmp_path / "cache" / oid.key
    changed = {"flipped": data[:-1] + bytes([data[-1] ^ 1]), "longer": data + b"!", "shorter": data[:-1]}
    path.unlink()
    if damage in changed:
        path.write_bytes(changed[damage])
    elif damage == "a link to nowhere":
        path.symlink_to(tmp_path / "nowhere")
    damaged: list[ObjectId] = []
    item = reader_of(tmp_path, damaged).incoming(oid, size)
    with pytest.raises(CorruptObject if damage in changed else NotFound):
        item.whole() if item.whole is not None else list(item.chunks)
    assert damaged == ([oid] if damage in changed else [])


def test_reading_ahead_passes_errors_on_and_ends_when_nobody_wants_more() -> None:
    closed: list[str] = []

    def parts(count: int, error: Exception | None = None) -> Iterator[bytes]:
        try:
            yield from (bytes([number]) for number in range(count))
            if error is not None:
                raise error
        finally:
            closed.append("closed")

    before = threading.active_count()
    assert b"".join(ahead(parts(20))) == bytes(range(20))
    found: list[bytes] = []
    with pytest.raises(ValueError, match="at the end"):
        for part in ahead(parts(20, ValueError("at the end"))):
            found.append(part)
    assert b"".join(found) == bytes(range(20))
    stream = ahead(parts(200))
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    assert closed == ["closed"] * 3 and threading.active_count() == before
