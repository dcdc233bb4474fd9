"""Keeps Python's garbage collection on the thread of the window. Knows nothing of what is collected.

A cycle of garbage may hold a Qt object, and Qt objects may end on their own thread alone: Qt would wait for
the interpreter while the window, which holds it, waits for Qt. So the automatic collection is off, and a
timer does its work with the thresholds Python itself would use.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

_PERIOD = 250  # milliseconds


class Collector(QObject):
    """Collects on the thread it is made in, as long as it lives."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        # What the program is made of stays until its end: no collection needs to look at it again.
        gc.freeze()
        self._timer = QTimer(self)
        self._timer.setInterval(_PERIOD)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def look(self) -> None:
        """Collect the oldest generation that has grown over its threshold."""
        counts = gc.get_count()
        for generation, threshold in reversed(tuple(enumerate(gc.get_threshold()))):
            if counts[generation] > threshold:
                gc.collect(generation)
                return
