"""Names of objects: DVC's own test vectors, legacy twins, streams that turn out wrong, remembered files."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders
from modelkeep.core.engine.hashing import LegacyDigest, Verifier, hash_file, hash_legacy, is_text, verifying
from modelkeep.core.engine.statmemory import StatMemory
from modelkeep.core.errors import CorruptObject
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.values import ObjectId

MIX = b"abcdef\r\n" * 131072 + b"\0" * 600 + b"zz\r\n" * 100
STRADDLING = b"a" * 1048575 + b"\r\n" + b"b\r\n"


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "d41d8cd98f00b204e9800998ecf8427e"),
        (b"574565\n", "630334416415623642455915400846e6"),
        (b"682577\n", "61230315635059227299115225839792"),
        (b"a\r\nb\r\n", "59b0d7772f0561efb95518f3cb8abc60"),
    ],
)
def test_plain_names(tmp_path: Path, data: bytes, digest: str) -> None:
    (tmp_path / "file").write_bytes(data)
    assert hash_file(tmp_path / "file") == digest


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"a\r\nb\r\n", ["dd8c6a395b5dd36c56d23275028f526c"] * 2 + ["59b0d7772f0561efb95518f3cb8abc60"]),
        (b"a\nb\n", ["dd8c6a395b5dd36c56d23275028f526c"] * 3),
        (b"\0\r\n", ["692c8022360661692872fdc730517229"] * 3),
        (
            MIX,
            [
                "13af435f371fd01678b1d10577061015",
                "a997c32334a4228c16e3d0318c21a917",
                "d7607bf5929aa9f2abf600a7e17e3603",
            ],
        ),
    ],
)
def test_legacy_names(tmp_path: Path, data: bytes, names: list[str]) -> None:
    (tmp_path / "file").write_bytes(data)
    assert list(hash_legacy(tmp_path / "file")) == names


def test_a_line_end_across_a_block_border_stays_as_dvc_leaves_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(STRADDLING)
    assert hash_legacy(tmp_path / "file")[0] == "deb8178cc400550795d42d701b97846d"


@given(st.binary(max_size=2000), st.integers(1, 700))
def test_legacy_names_do_not_depend_on_how_the_bytes_arrive(data: bytes, step: int) -> None:
    whole, parts = LegacyDigest(), LegacyDigest()
    whole.update(data)
    for start in range(0, len(data), step):
        parts.update(data[start : start + step])
    assert whole.finish() == parts.finish()


def test_what_counts_as_text() -> None:
    assert is_text(b"") and is_text(b"plain\r\n\t") and is_text(b"a" * 7 + b"\x80" * 3)
    assert not is_text(b"a\0") and not is_text(b"a" * 69 + b"\x80" * 31)


@pytest.mark.parametrize("name", [0, 1, 2])
def test_a_legacy_object_is_right_under_each_of_its_names(name: int) -> None:
    digests = (
        "13af435f371fd01678b1d10577061015",
        "a997c32334a4228c16e3d0318c21a917",
        "d7607bf5929aa9f2abf600a7e17e3603",
    )
    oid = ObjectId(digests[name], legacy=True)
    assert b"".join(verifying([MIX[:1000], MIX[1000:]], oid)) == MIX
    if name < 2:
        with pytest.raises(CorruptObject):
            list(verifying([MIX], ObjectId(digests[name])))


def test_wrong_bytes_are_named_after_the_last_one() -> None:
    oid = ObjectId(builders.md5("good"))
    stream = verifying([b"bad"], oid, "the remote storage")
    assert next(stream) == b"bad"
    with pytest.raises(CorruptObject) as caught:
        next(stream)
    assert caught.value.name == oid.name
    assert builders.md5("bad") in str(caught.value) and "the remote storage" in str(caught.value)


def test_a_stream_without_end_is_broken_off() -> None:
    def endless():  # type: ignore[no-untyped-def]
        while True:
            yield b"x" * 1000

    verifier = Verifier(ObjectId(builders.md5("x")), "a server", size=5000)
    with pytest.raises(CorruptObject):
        list(verifier.chunks(endless()))
    assert verifier.passed == 6000


def test_hashing_can_be_cancelled(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        hash_file(tmp_path / "file", progress)


# -- the memory of files -------------------------------------------------------------------------------


def _old_file(folder: Path, data: bytes = b"data") -> os.stat_result:
    path = folder / "file"
    path.write_bytes(data)
    return path.stat()


LATER = 10_000_000_000


def test_an_untouched_file_is_remembered_and_a_touched_one_is_not(tmp_path: Path) -> None:
    facts = _old_file(tmp_path)
    memory = StatMemory(tmp_path / "own/stat.sqlite")
    memory.remember(facts, builders.md5("data"), read_at=facts.st_ctime_ns + LATER)
    memory.save()
    again = StatMemory(tmp_path / "own/stat.sqlite")
    assert again.known(facts) == builders.md5("data")
    assert again.known(facts, legacy=True) is None
    time.sleep(0.02)
    (tmp_path / "file").write_bytes(b"DATA")  # same size, same inode
    assert again.known((tmp_path / "file").stat()) is None


def test_a_file_written_just_before_it_was_read_is_not_remembered(tmp_path: Path) -> None:
    facts = _old_file(tmp_path)
    memory = StatMemory(tmp_path / "stat.sqlite")
    memory.remember(facts, builders.md5("data"))
    memory.save()
    assert memory.known(facts) is None and not (tmp_path / "stat.sqlite").exists()


@pytest.mark.parametrize("damage", [b"no database", b"", b"SQLite format 3\0" + b"x" * 5000])
def test_a_damaged_memory_starts_anew(tmp_path: Path, damage: bytes) -> None:
    facts = _old_file(tmp_path)
    base = tmp_path / "stat.sqlite"
    base.write_bytes(damage)
    memory = StatMemory(base)
    assert memory.known(facts) is None
    memory.remember(facts, builders.md5("data"), read_at=facts.st_ctime_ns + LATER)
    memory.save()
    assert StatMemory(base).known(facts) == builders.md5("data")


def test_a_memory_in_use_elsewhere_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = _old_file(tmp_path)
    base = tmp_path / "stat.sqlite"
    memory = StatMemory(base)
    memory.remember(facts, builders.md5("data"), read_at=facts.st_ctime_ns + LATER)
    memory.save()
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **_: real(path, timeout=0))
    other = real(base)
    try:
        other.execute("BEGIN EXCLUSIVE")
        busy = StatMemory(base)
        busy.remember(facts, builders.md5("other"), read_at=facts.st_ctime_ns + LATER)
        busy.save()
    finally:
        other.rollback()
        other.close()
    assert StatMemory(base).known(facts) == builders.md5("data")
