"""Progress and cancelling as one small object that work reports to and a timer reads.

Work never waits for the screen: reporting adds to a counter, and whoever shows progress calls `reading()`
as often as it likes, from any thread. Knows nothing of Qt, terminals or what the work is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from modelkeep.core.nouns import dataclass


class Cancelled(Exception):
    """The user cancelled. Raised by `Progress.check`; work cleans up and lets it pass."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is going on at one moment. Totals are 0 while unknown; bytes are bytes."""

    phase: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    done_files: int = 0
    total_files: int = 0
    note: str = ""

    @property
    def fraction(self) -> float | None:
        """How far the phase is, 0.0 to 1.0, or None while nobody knows."""
        if self.total_bytes:
            return min(1.0, self.done_bytes / self.total_bytes)
        if self.total_files:
            return min(1.0, self.done_files / self.total_files)
        return None


class _Run:
    """What all phases of one operation share: the wish to cancel and the phase that works now."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.lock = threading.Lock()
        self.interrupts: list[Callable[[], None]] = []
        self.give_way: Callable[[], None] | None = None
        self.current: Progress | None = None


class Progress:
    """Reports one phase of work. `child` opens the next phase; the latest one opened is what is shown.

    Counters may be advanced from several threads; a lost update costs a digit on the screen, nothing else.
    """

    def __init__(self, label: str = "", total: int = 0, files: int = 0, *, _run: _Run | None = None) -> None:
        self._run = _run or _Run()
        self._run.current = self
        self.label = label
        self.total_bytes = total
        self.total_files = files
        self.done_bytes = 0
        self.done_files = 0
        self.text = ""

    def child(self, label: str, total: int = 0, *, files: int = 0) -> Progress:
        """Open the next phase of the same operation: `total` bytes in `files` files, 0 where unknown."""
        self.check()
        return Progress(label, total, files, _run=self._run)

    def advance(self, n: int = 0, *, files: int = 0) -> None:
        """Report `n` more bytes and `files` more finished files; raises Cancelled."""
        self.done_bytes += n
        self.done_files += files
        self.check()

    def expect(self, total: int = 0, *, files: int = 0) -> None:
        """Correct the totals once they are known."""
        self.total_bytes, self.total_files = total, files

    def note(self, text: str) -> None:
        """Say in a few words what is being worked on, such as a file name."""
        self.text = text

    def check(self) -> None:
        """Raise Cancelled if the user cancelled. Call between steps that can be left consistent."""
        run = self._run
        if run.give_way is not None:
            run.give_way()
        if run.cancelled.is_set():
            raise Cancelled

    def gives_way_by(self, give_way: Callable[[], None]) -> None:
        """Have `give_way` called at every report and check: it may wait a moment while somebody goes first."""
        self._run.give_way = give_way

    @property
    def is_cancelled(self) -> bool:
        """Whether the user asked to stop."""
        return self._run.cancelled.is_set()

    def cancel(self) -> None:
        """Ask the work to stop; safe from any thread. Blocking calls registered with `interrupting` end."""
        self._run.cancelled.set()
        with self._run.lock:
            interrupts = tuple(self._run.interrupts)
        for interrupt in interrupts:
            interrupt()

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While inside, `cancel` also calls `interrupt`, which must make a blocked call return (close it)."""
        with self._run.lock:
            self._run.interrupts.append(interrupt)
        try:
            if self.is_cancelled:
                interrupt()
            yield
        finally:
            with self._run.lock:
                self._run.interrupts.remove(interrupt)

    def reading(self) -> Reading:
        """The phase at work right now, whichever Progress of the operation is asked."""
        now = self._run.current or self
        return Reading(now.label, now.done_bytes, now.total_bytes, now.done_files, now.total_files, now.text)


class _Silent(Progress):
    """Reports to nobody and is never cancelled."""

    def child(self, label: str, total: int = 0, *, files: int = 0) -> Progress:
        return self

    def advance(self, n: int = 0, *, files: int = 0) -> None:
        return

    def cancel(self) -> None:
        raise RuntimeError("SILENT is shared by everyone and cannot be cancelled")


SILENT: Progress = _Silent()
