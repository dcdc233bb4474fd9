"""Lets the window go first: work waits a moment while the window paints or takes in an answer.

A Python thread that computes holds the interpreter, and a table that is painted asks for it hundreds of
times; each time it waits its turn. So the thread of the window says when such a stretch begins and ends, and
work stands aside meanwhile, where it reports its progress. Knows no jobs and no widgets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE = 0.5  # seconds the window goes first at most: inside such a stretch a dialog may have been opened
_free = threading.Event()
_free.set()
_until = [0.0]  # the time by which the stretch is over in any case


@contextmanager
def going_first() -> Iterator[None]:
    """On the window's thread: other threads stand aside inside. May be entered again inside itself."""
    outer, outermost = _until[0], _free.is_set()
    _until[0] = time.monotonic() + _PATIENCE
    _free.clear()
    try:
        yield
    finally:
        _until[0] = outer
        if outermost:
            _free.set()


def give_way() -> None:
    """On any other thread: wait until the window has done what it does first, for a moment at most."""
    if not _free.is_set():
        _free.wait(max(0.0, _until[0] - time.monotonic()))
