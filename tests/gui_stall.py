"""Measures how long the event loop was away: a 50 ms timer in the GUI thread, read from outside it.

`MachineWatch` measures the same of a process that does nothing. While that one stands still, the machine does:
`own` takes this time out of a wait, so that what is left is the window's own doing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from PySide6.QtCore import QTimer

#: Seconds. A machine that keeps a process which does nothing waiting for so long tells nothing of the window.
BUSY = 0.2

#: From when until when, in seconds of the monotonic clock, which all processes of a machine share.
Span = tuple[float, float]


class StallWatch:
    """`spans` are the times the loop did not get round to a timer that was due."""

    PERIOD = 0.05

    def __init__(self) -> None:
        self.spans: list[Span] = []
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
        due = self._last + self.PERIOD
        if now > due:
            self.spans.append((due, now))
        self._last = now


_SLEEPER = """
import json, select, sys, time
spans, last = [], time.monotonic()
while not select.select([sys.stdin], [], [], 0.02)[0]:
    for _ in range(20000):  # a few milliseconds of work, as the repainting of a progress bar is
        pass
    now = time.monotonic()
    if now - last > 0.05:
        spans.append((last + 0.02, now))
    last = now
print(json.dumps(spans))
"""


class MachineWatch:
    """`spans` are the times that an idle process on this machine was kept waiting."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def __enter__(self) -> MachineWatch:
        self._sleeper = subprocess.Popen(
            [sys.executable, "-c", _SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        said, _nothing = self._sleeper.communicate("\n", timeout=10)
        self.spans = [(start, end) for start, end in json.loads(said)]

    @property
    def worst(self) -> float:
        """The longest such time, in seconds."""
        return max((end - start for start, end in self.spans), default=0.0)

    def own(self, span: Span) -> float:
        """How much of `span` the machine did not stand still, in seconds."""
        start, end = span
        still = sum(max(0.0, min(end, until) - max(start, since)) for since, until in self.spans)
        return end - start - still


def unless_machine_is_busy(waited: float) -> None:
    """Skip the test where the machine itself is what stalls; `waited` is a MachineWatch's worst."""
    if waited > BUSY:
        pytest.skip(f"this machine kept a process that does nothing waiting for {waited:.2f} s")
