"""Measures how long the event loop was away: a 50 ms timer in the GUI thread, read from outside it."""

from __future__ import annotations

import time

from PySide6.QtCore import QTimer


class StallWatch:
    """`worst` is the longest time in seconds the loop did not get round to a timer that was due."""

    PERIOD = 0.05

    def __init__(self) -> None:
        self.worst = 0.0
        self.beats = 0
        self._timer = QTimer(interval=round(self.PERIOD * 1000))
        self._timer.timeout.connect(self._beat)
        self._last = time.monotonic()

    def __enter__(self) -> StallWatch:
        self._last = time.monotonic()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        now = time.monotonic()
        self.worst = max(self.worst, now - self._last - self.PERIOD)
        self._last = now
        self.beats += 1
