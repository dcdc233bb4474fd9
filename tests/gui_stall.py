"""Measures how long the event loop was away: a 50 ms timer in the GUI thread, read from outside it.

`MachineWatch` measures the same of a process that does nothing: that much is the machine's own doing.
"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from PySide6.QtCore import QTimer

#: Seconds. A machine that keeps a process which does nothing waiting for so long tells nothing of the window.
BUSY = 0.2


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


_SLEEPER = """
import select, sys, time
worst, last = 0.0, time.monotonic()
while not select.select([sys.stdin], [], [], 0.02)[0]:
    for _ in range(20000):  # a few milliseconds of work, as the repainting of a progress bar is
        pass
    now = time.monotonic()
    worst, last = max(worst, now - last - 0.02), now
print(worst)
"""


class MachineWatch:
    """`worst` is the longest time in seconds that an idle process on this machine was kept waiting."""

    def __init__(self) -> None:
        self.worst = 0.0

    def __enter__(self) -> MachineWatch:
        self._sleeper = subprocess.Popen(
            [sys.executable, "-c", _SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        said, _nothing = self._sleeper.communicate("\n", timeout=10)
        self.worst = float(said)


def unless_machine_is_busy(waited: float) -> None:
    """Skip the test where the machine itself is what stalls; `waited` is a MachineWatch's worst."""
    if waited > BUSY:
        pytest.skip(f"this machine kept a process that does nothing waiting for {waited:.2f} s")
