"""Jobs: lanes, cancelling, retrying, callbacks that are dropped, speed, and a window that never waits."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QObject

from gui_stall import MachineWatch, StallWatch, unless_machine_is_busy
from modelkeep.core.errors import ConnectionLost
from modelkeep.core.progress import Progress, Reading
from modelkeep.core.values import Change, Changes
from modelkeep.gui import jobs
from modelkeep.gui.jobs import Jobs, Meter, State


@pytest.fixture
def running(qtbot):
    made = Jobs()
    yield made
    made.cancel_all()
    qtbot.waitUntil(lambda: not made.active(quiet=True), timeout=5_000)


def idle(qtbot, running: Jobs) -> None:
    qtbot.waitUntil(lambda: not running.active(quiet=True), timeout=5_000)


class Gate:
    """Work that stays until it is let go, and tells how many were inside at once."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        while not self.open.wait(0.005):
            progress.check()
        with self.lock:
            self.inside -= 1


@pytest.mark.parametrize(
    ("lane", "width"), [(jobs.REPOSITORY, 1), (jobs.remote_lane("lab"), 1), (jobs.READING, 3)]
)
def test_a_lane_runs_so_many_at_once(qtbot, running, lane, width):
    gate = Gate()
    started = [running.start(str(n), gate, lane) for n in range(5)]
    qtbot.waitUntil(lambda: gate.inside == width)
    assert [job.state for job in started].count(State.RUNNING) == width
    gate.open.set()
    idle(qtbot, running)
    assert gate.most == width
    assert all(job.state is State.DONE for job in started)


def test_writes_run_in_the_order_they_were_asked_for(qtbot, running):
    done = []
    for number in range(6):
        running.start(str(number), lambda progress, n=number: done.append(n), jobs.REPOSITORY)
    idle(qtbot, running)
    assert done == list(range(6))


def test_callbacks_come_on_the_gui_thread_exactly_once(qtbot, running):
    told = []

    def fail(progress: Progress) -> None:
        raise ConnectionLost("gone")

    def note(what):
        return lambda value: told.append((what, value, threading.current_thread() is threading.main_thread()))

    running.start("a", lambda progress: 42, on_done=note("done"), on_failed=note("failed"))
    failed = running.start("b", fail, on_done=note("done"), on_failed=note("failed"))
    idle(qtbot, running)
    assert sorted(str(one[0]) for one in told) == ["done", "failed"]
    assert all(one[2] for one in told)
    assert ("done", 42, True) in told
    assert failed.state is State.FAILED and "gone" in failed.log[-1]


def test_cancel_ends_running_and_queued_jobs_and_says_nothing_to_the_callbacks(qtbot, running):
    told = []
    first = running.start("a", Gate(), jobs.REPOSITORY, on_done=told.append, on_failed=told.append)
    second = running.start("b", Gate(), jobs.REPOSITORY, on_done=told.append)
    qtbot.waitUntil(lambda: first.state is State.RUNNING)
    running.cancel(second)
    assert second.state is State.CANCELLED
    began = time.monotonic()
    running.cancel(first)
    idle(qtbot, running)
    assert first.state is State.CANCELLED and time.monotonic() - began < 2
    assert told == []


def test_retry_does_the_same_again(qtbot, running):
    tries, told = [], []

    def work(progress: Progress) -> str:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionLost("gone")
        return "there"

    job = running.start("a", work, on_done=told.append)
    idle(qtbot, running)
    assert job.may_retry
    again = running.retry(job)
    idle(qtbot, running)
    assert told == ["there"] and again.state is State.DONE and not again.may_retry


def test_nothing_is_told_to_an_owner_that_is_gone(qtbot, running):
    told, gate, owner = [], Gate(), QObject()
    job = running.start("a", gate, on_done=told.append, owner=owner)
    qtbot.waitUntil(lambda: gate.inside == 1)
    owner.deleteLater()
    qtbot.waitUntil(lambda: not job.has_listener())
    gate.open.set()
    idle(qtbot, running)
    assert job.state is State.DONE and told == []


def test_only_the_latest_of_a_slot_answers(qtbot, running):
    told, owner, gate = [], QObject(), Gate()
    first = running.start("a", gate, on_done=lambda _: told.append("old"), owner=owner, slot="preview")
    qtbot.waitUntil(lambda: gate.inside == 1)
    running.start("b", lambda progress: "new", on_done=told.append, owner=owner, slot="preview")
    idle(qtbot, running)
    assert told == ["new"] and first.state is State.CANCELLED


def test_the_log_has_summary_and_command_line(qtbot, running):
    changes = Changes(Change.CACHE, "2 files added.", notes=("a note",), same_as=("dvc add x",))
    job = running.start("a", lambda progress: changes, same_as=("other",))
    idle(qtbot, running)
    assert job.summary == "2 files added." and "a note" in job.log and job.same_as == ("dvc add x",)


def test_finished_jobs_are_forgotten_beyond_a_limit(qtbot, running):
    for number in range(80):
        running.start(str(number), lambda progress: None)
    running.start("quiet", lambda progress: None, quiet=True)
    idle(qtbot, running)
    assert len(running.listed()) <= 61 and running.listed()[0].title == "79"
    running.clear()
    assert running.listed() == []


def test_speed_and_time_left():
    meter = Meter()
    for second in range(5):
        meter.take(float(second), Reading("Sending", second * 10, 100))
    assert meter.speed == pytest.approx(10)
    assert meter.left == pytest.approx(6)
    meter.take(5.0, Reading("Verifying", 0, 100))
    assert meter.speed is None and meter.left is None


def test_time_left_by_files_where_bytes_are_unknown():
    meter = Meter()
    for second in range(3):
        meter.take(float(second), Reading("Adding", 0, 0, second * 5, 20))
    assert meter.left == pytest.approx(2)


def test_progress_is_read_ten_times_a_second(qtbot, running):
    gate = Gate()
    ticks = []
    running.ticked.connect(lambda: ticks.append(1))
    running.start("a", gate)
    qtbot.wait(600)
    gate.open.set()
    idle(qtbot, running)
    assert 3 <= len(ticks) <= 8


@pytest.mark.alone
def test_the_window_never_waits_for_workers(qtbot, running, tmp_path: Path):
    """Three readers and one writer in pure Python loops over small files: the worst case for the GUI thread."""
    files = [tmp_path / f"{n}.bin" for n in range(400)]
    for file in files:
        file.write_bytes(b"x" * 4096)

    def work(progress: Progress) -> None:
        for _ in range(2):
            for file in files:
                hashlib.md5(file.read_bytes()).hexdigest()
                sum(i * i for i in range(400))
                progress.advance(4096, files=1)

    for _ in range(3):  # as in test_big_transfer
        with MachineWatch() as machine, StallWatch() as watch:
            for number in range(4):
                running.start(str(number), work, jobs.REPOSITORY if number == 3 else jobs.READING)
            idle(qtbot, running)
            qtbot.wait(60)
        worst = max(map(machine.own, watch.spans), default=0.0)
        if worst < 0.2:
            return
    unless_machine_is_busy(machine.worst)
    pytest.fail(f"the window waited {worst} s, a process that does nothing {machine.worst} s")
