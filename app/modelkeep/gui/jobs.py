"""Runs work beside the window: lanes, progress, cancel, retry. Knows nothing of what the work is.

Work is any callable that takes a Progress. It runs on a plain thread; its callbacks run on the GUI thread
and are dropped when their owner is gone. A lane lets so many jobs run at once and queues the rest: writes to
the repository one at a time, each remote one at a time, reading a few.
"""

from __future__ import annotations

import enum
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from modelkeep.core.progress import Cancelled, Progress, Reading
from modelkeep.core.values import Changes
from modelkeep.gui.courtesy import give_way, going_first
from modelkeep.gui.wording import translate

REPOSITORY = "repository"
READING = "reading"
#: What panels show in the background: one at a time, so that workers leave the interpreter to the window.
FACTS = "facts"
_WIDTH = {READING: 3}
_KEPT = 60
_WINDOW = 4.0  # seconds of readings the speed is taken from
log = logging.getLogger(__name__)

Work = Callable[[Progress], Any]


def remote_lane(name: str) -> str:
    """The lane of one remote: one transfer at a time."""
    return f"remote:{name}"


class State(enum.Enum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (State.QUEUED, State.RUNNING)


class Meter:
    """Speed and time left from readings taken now and then."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Reading]] = deque()

    def take(self, now: float, reading: Reading) -> None:
        """Remember a reading; a new phase starts afresh."""
        if self._seen and self._seen[-1][1].phase != reading.phase:
            self._seen.clear()
        self._seen.append((now, reading))
        while now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()

    @property
    def speed(self) -> float | None:
        """Bytes per second lately, or None while too little is known."""
        return self._rate(lambda reading: reading.done_bytes)

    @property
    def left(self) -> float | None:
        """Seconds the phase will still take at the present pace, or None."""
        if not self._seen:
            return None
        last = self._seen[-1][1]
        if last.total_bytes:
            return _ahead(last.total_bytes - last.done_bytes, self.speed)
        return _ahead(last.total_files - last.done_files, self._rate(lambda reading: reading.done_files))

    def _rate(self, amount: Callable[[Reading], int]) -> float | None:
        if len(self._seen) < 2:
            return None
        (begin, first), (end, last) = self._seen[0], self._seen[-1]
        return (amount(last) - amount(first)) / (end - begin) if end - begin >= 0.5 else None


def _ahead(remaining: int, rate: float | None) -> float | None:
    return remaining / rate if rate and remaining > 0 else None


class Job:
    """One piece of work and how far it is. Belongs to the GUI thread, except for its Progress."""

    _numbers = itertools.count(1)

    def __init__(self, title: str, work: Work, lane: str, *, quiet: bool, same_as: tuple[str, ...]) -> None:
        self.number = next(self._numbers)
        self.title, self.work, self.lane, self.quiet = title, work, lane, quiet
        self.same_as = same_as
        self.progress = Progress()
        self.state = State.QUEUED
        self.error: Exception | None = None
        self.result: Any = None
        self.summary = ""
        self.log: list[str] = []
        self.began = self.ended = 0.0
        self.reading = Reading()
        self.meter = Meter()
        self.owner: QObject | None = None
        self.slot = ""
        self.thread: threading.Thread | None = None
        self.on_done: Callable[[Any], None] | None = None
        self.on_failed: Callable[[Exception], None] | None = None

    @property
    def took(self) -> float:
        """Seconds it has run."""
        return (self.ended or time.monotonic()) - self.began if self.began else 0.0

    @property
    def may_retry(self) -> bool:
        """Whether the same work can be started again."""
        return self.state in (State.FAILED, State.CANCELLED)

    def observe(self, now: float) -> None:
        """Take a reading for the meter and the log."""
        reading = self.progress.reading()
        if reading.phase and reading.phase != self.reading.phase:
            self.log.append(reading.phase)
        self.reading = reading
        self.meter.take(now, reading)

    def has_listener(self) -> bool:
        """Whether the object the callbacks belong to still exists."""
        return self.owner is None or shiboken6.isValid(self.owner)


class Jobs(QObject):
    """All jobs of the window. `added`, `changed` and `ended` carry a Job; `ticked` comes 10 times a second."""

    added = Signal(object)
    changed = Signal(object)
    ended = Signal(object)
    ticked = Signal()
    _finished = Signal(object, object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        #: Entered on the worker's thread around each job's work, such as GuiQuestions.asking_for.
        self.around: Callable[[Progress], AbstractContextManager[object]] = nullcontext
        self._queues: dict[str, deque[Job]] = {}
        self._running: dict[str, list[Job]] = {}
        self._kept: list[Job] = []
        self._finished.connect(self._finish, Qt.ConnectionType.QueuedConnection)
        self._timer = QTimer(self)
        self._timer.setInterval(100)
        self._timer.timeout.connect(self._tick)

    def start(
        self,
        title: str,
        work: Work,
        lane: str = READING,
        *,
        on_done: Callable[[Any], None] | None = None,
        on_failed: Callable[[Exception], None] | None = None,
        owner: QObject | None = None,
        slot: str = "",
        quiet: bool = False,
        same_as: tuple[str, ...] = (),
    ) -> Job:
        """Queue `work` in `lane` and return its job.

        Exactly one of the callbacks runs on the GUI thread, none if the job is cancelled or `owner` is gone.
        Starting again with the same `owner` and `slot` cancels the job before: only the latest answer counts.
        A `quiet` job (reading for a panel) is not listed in Activity. `same_as` are command lines for its log.
        """
        job = Job(title, work, lane, quiet=quiet, same_as=same_as)
        job.on_done, job.on_failed, job.owner, job.slot = on_done, on_failed, owner, slot
        if slot:
            self._supersede(owner, slot)
        self._queues.setdefault(lane, deque()).append(job)
        if not quiet:
            self._kept.append(job)
            self._trim()
        self.added.emit(job)
        self._feed(lane)
        return job

    def cancel(self, job: Job) -> None:
        """Take a queued job out, or ask a running one to stop."""
        if job.state is State.QUEUED:
            self._queues[job.lane].remove(job)
            self._end(job, State.CANCELLED)
        elif job.state is State.RUNNING:
            job.progress.cancel()
            self.changed.emit(job)

    def retry(self, job: Job) -> Job:
        """Start the work of a job that failed or was cancelled once more."""
        return self.start(
            job.title,
            job.work,
            job.lane,
            on_done=job.on_done,
            on_failed=job.on_failed,
            owner=job.owner,
            slot=job.slot,
            quiet=job.quiet,
            same_as=job.same_as,
        )

    def active(self, *, quiet: bool = False) -> list[Job]:
        """Jobs running or queued, in that order; with `quiet`, also those that Activity does not list."""
        running = [job for jobs in self._running.values() for job in jobs]
        queued = [job for queue in self._queues.values() for job in queue]
        return [job for job in running + queued if quiet or not job.quiet]

    def listed(self) -> list[Job]:
        """What Activity shows, newest first: everything not quiet, finished ones included."""
        return list(reversed(self._kept))

    def clear(self) -> None:
        """Forget the finished ones."""
        self._kept = [job for job in self._kept if not job.state.is_over]

    def cancel_all(self) -> None:
        """Ask everything to stop."""
        for job in reversed(self.active(quiet=True)):
            self.cancel(job)

    def _supersede(self, owner: QObject | None, slot: str) -> None:
        for job in self.active(quiet=True):
            if job.owner is owner and job.slot == slot:
                job.on_done = job.on_failed = None
                self.cancel(job)

    def _trim(self) -> None:
        over = [kept for kept in self._kept if kept.state.is_over]
        for old in over[: max(0, len(self._kept) - _KEPT)]:
            self._kept.remove(old)

    def _feed(self, lane: str) -> None:
        queue, running = self._queues[lane], self._running.setdefault(lane, [])
        while queue and len(running) < _WIDTH.get(lane, 1):
            job = queue.popleft()
            if not job.has_listener() and job.quiet:
                self._end(job, State.CANCELLED)
                continue
            job.state, job.began = State.RUNNING, time.monotonic()
            job.progress.gives_way_by(give_way)
            running.append(job)
            job.thread = threading.Thread(
                target=self._run, args=(job,), name=f"job {job.number}", daemon=True
            )
            job.thread.start()
            self.changed.emit(job)
        if not self._timer.isActive() and any(self._running.values()):
            self._timer.start()

    def _run(self, job: Job) -> None:
        """On the worker's thread."""
        result: Any = None
        error: BaseException | None = None
        try:
            with self.around(job.progress):
                result = job.work(job.progress)
        except BaseException as raised:  # whatever it is, the window hears of it and the lane goes on
            error = raised
        if shiboken6.isValid(self):
            self._finished.emit(job, result, error)

    def _finish(self, job: Job, result: Any, error: BaseException | None) -> None:
        self._running[job.lane].remove(job)
        if job.thread is not None:
            job.thread.join()  # it has nothing more to do than to let go of what may end on this thread alone
        job.thread = None
        job.observe(time.monotonic())
        if error is None:
            job.result = result
            self._describe(job, result)
            self._end(job, State.DONE)
        elif isinstance(error, Cancelled) or job.progress.is_cancelled:
            self._end(job, State.CANCELLED)
        else:
            job.error = error if isinstance(error, Exception) else RuntimeError(repr(error))
            if not job.quiet:
                log.info("job failed: %s", job.title, exc_info=error)
            self._end(job, State.FAILED)
        self._feed(job.lane)

    def _describe(self, job: Job, result: Any) -> None:
        if isinstance(result, Changes):
            job.summary = result.summary
            job.log += [result.summary, *result.notes] if result.summary else result.notes
            job.same_as = result.same_as or job.same_as

    def _end(self, job: Job, state: State) -> None:
        job.state, job.ended = state, time.monotonic()
        if state is State.CANCELLED:
            job.log.append(translate("Jobs", "Cancelled. What was finished is kept."))
        if job.error is not None:
            job.log.append(str(job.error))
        self._timer_check()
        self._trim()
        self.changed.emit(job)
        with going_first():
            if job.has_listener():
                if state is State.DONE and job.on_done is not None:
                    job.on_done(job.result)
                elif state is State.FAILED and job.on_failed is not None and job.error is not None:
                    job.on_failed(job.error)
            self.ended.emit(job)

    def _timer_check(self) -> None:
        if not any(self._running.values()):
            self._timer.stop()

    def _tick(self) -> None:
        now = time.monotonic()
        with going_first():
            for jobs in self._running.values():
                for job in jobs:
                    job.observe(now)
            self.ticked.emit()
