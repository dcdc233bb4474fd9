"""One question for everybody who has it: of several connections that log in at once, one asks and the others wait.

Who waited goes on when the first is through, and finds what it found; if the first was refused, so are they, with the
same error. Knows no servers and no secrets.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from modelkeep.core.errors import HostKeyChanged, LoginFailed, LoginNeeded, UnknownHost
from modelkeep.core.progress import Cancelled, Progress

_SLICE = 0.2  # seconds between two looks at whether the wait was cancelled
_SHARED = (HostKeyChanged, LoginFailed, LoginNeeded, UnknownHost)
_changed = threading.Condition()


class Declined(Cancelled):
    """A person was asked and did not want to; holds for all who would have asked the same."""


class _Turn:
    def __init__(self) -> None:
        self.is_taken = False
        self.users = 0
        self.refusals = 0
        self.error: BaseException | None = None


_turns: dict[tuple[int, str], _Turn] = {}


@contextmanager
def turn(owner: object, name: str, progress: Progress) -> Iterator[None]:
    """Be the only one inside with this `owner` (who is asked) and `name` (what about).

    Raises Cancelled while it waits, and the error of the one before if that was a refusal.
    """
    key = (id(owner), name)
    with _changed:
        mine = _turns.setdefault(key, _Turn())
        mine.users += 1
    try:
        _wait(mine, progress)
        try:
            yield
        except (*_SHARED, Declined) as error:
            mine.refusals, mine.error = mine.refusals + 1, error
            raise
        finally:
            with _changed:
                mine.is_taken = False
                _changed.notify_all()
    finally:
        with _changed:
            mine.users -= 1
            if not mine.users:
                del _turns[key]


def _wait(mine: _Turn, progress: Progress) -> None:
    with _changed:
        before = mine.refusals
        while mine.is_taken:
            progress.check()
            _changed.wait(_SLICE)
        if mine.refusals != before and mine.error is not None:
            raise mine.error
        mine.is_taken = True
