"""What a clean-up needs of every store: when things were written, by the clock of the place, and removing many."""

from __future__ import annotations

import os
import time

import pytest

from contract.conftest import Place
from contract.objects import put
from modelkeep.core.errors import UnsafePath
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores.retry import RetryingStore


def test_when_things_were_written(place: Place) -> None:
    put(place.store, {"files/md5/ab/old": b"1", "files/md5/ab/new": b"2"})
    os.utime(place.folder / "files/md5/ab/old", (1_000_000_000, 1_000_000_000))
    times = place.store.modified(["files/md5/ab/old", "files/md5/ab/new", "nowhere"])
    assert times.keys() == {"files/md5/ab/old", "files/md5/ab/new"}
    assert times["files/md5/ab/old"] == 1_000_000_000
    assert abs(times["files/md5/ab/new"] - place.store.clock()) < 600


def test_the_clock_is_that_of_the_place_and_leaves_nothing(place: Place) -> None:
    assert abs(place.store.clock() - time.time()) < 600
    assert not [path for path in place.folder.rglob("*") if path.is_file()]


def test_many_are_removed_and_nothing_else(place: Place) -> None:
    keys = [f"files/md5/ab/{number}" for number in range(300)]
    put(place.store, dict.fromkeys([*keys, "stays"], b"x"))
    (place.folder / "files/md5/ab/link").symlink_to(place.folder / "stays")
    progress = Progress()
    place.store.delete_many([*keys, "files/md5/ab/link", "never/there"], progress=progress)
    assert {path.name for path in place.folder.rglob("*") if path.is_file()} == {"stays"}
    assert progress.done_files == 302
    with pytest.raises(UnsafePath):
        place.store.delete_many(["../stays"])


def test_removing_many_can_be_cancelled(place: Place) -> None:
    keys = [f"files/md5/ab/{number}" for number in range(400)]
    put(place.store, dict.fromkeys(keys, b"x"))
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        place.store.delete_many(keys, progress=progress)
    assert (place.folder / "files/md5/ab/399").exists()


def test_a_store_that_tries_again_passes_it_on(place: Place) -> None:
    put(place.store, {"files/md5/ab/one": b"1"})
    again = RetryingStore(place.store)
    assert again.modified(["files/md5/ab/one"]) == place.store.modified(["files/md5/ab/one"])
    again.delete_many(["files/md5/ab/one"])
    assert not place.store.exists("files/md5/ab/one")
