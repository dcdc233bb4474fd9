"""Notices changes made outside the window (a terminal `git` or `dvc`). Knows only a function that gives a stamp."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import shiboken6
from PySide6.QtCore import QObject, Signal

from modelkeep.core.errors import ModelkeepError

_PERIOD = 1.0
log = logging.getLogger(__name__)


class Watcher(QObject):
    """Asks for the stamp about once a second on a thread of its own; `changed` arrives on the GUI thread.

    Several changes in a row are told once: only when the stamp has been the same twice, so that a command
    still at work does not make the panels read half of what it writes.
    """

    changed = Signal()

    def __init__(
        self, stamp: Callable[[], str], parent: QObject | None = None, period: float = _PERIOD
    ) -> None:
        super().__init__(parent)
        self._stamp, self._period = stamp, period
        self._wake = threading.Event()
        self._stopped = False
        self._forget = False
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to watch; what is there now is the base."""
        self._thread.start()

    def look_now(self) -> None:
        """Do not wait for the next second: the window was brought to the front."""
        self._wake.set()

    def forgive(self) -> None:
        """What changed until now is known already: it was our own doing, or has just been read."""
        self._forget = True
        self._wake.set()

    def stop(self, wait: float = 0.1) -> None:
        """End the thread, without waiting long for a folder that does not answer."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(wait)

    def _watch(self) -> None:
        base = seen = self._ask("")
        while True:
            self._wake.wait(self._period)
            self._wake.clear()
            if self._stopped:
                return
            now = self._ask(seen)
            if self._forget:
                self._forget = False
                base = now
            settled, seen = now == seen, now
            if settled and now != base:
                base = now
                if shiboken6.isValid(self):
                    self.changed.emit()

    def _ask(self, otherwise: str) -> str:
        try:
            return self._stamp()
        except (OSError, ModelkeepError) as error:  # the folder may be gone for a moment
            log.debug("stamp: %s", error)
            return otherwise
