"""Qt objects end on the window's thread, whoever makes the garbage; and work lets the window go first."""

from __future__ import annotations

import gc
import threading
import time

from pytestqt.qtbot import QtBot

from modelkeep.core.progress import Progress
from modelkeep.gui import courtesy
from modelkeep.gui.collector import Collector
from modelkeep.gui.jobs import Jobs


class Ending:
    """Notes the thread it ended on."""

    def __init__(self, seen: list[str]) -> None:
        self.seen, self.me = seen, self

    def __del__(self) -> None:
        self.seen.append(threading.current_thread().name)


def test_a_cycle_of_garbage_ends_on_the_thread_of_the_window(qtbot: QtBot) -> None:
    seen: list[str] = []
    Ending(seen)

    def much_garbage() -> None:
        for _ in range(20_000):
            Ending([])

    worker = threading.Thread(target=much_garbage)
    worker.start()
    worker.join()
    assert seen == []
    qtbot.waitUntil(lambda: bool(seen), timeout=5000)
    assert seen == ["MainThread"]


def test_a_young_generation_is_collected_before_an_old_one() -> None:
    collector = Collector()
    gc.collect()
    asked: list[int] = []
    note = lambda phase, info: asked.append(info["generation"]) if phase == "start" else None  # noqa: E731
    gc.callbacks.append(note)
    try:
        collector.look()
        assert asked == []
        kept = [[] for _ in range(gc.get_threshold()[0] + 100)]
        collector.look()
    finally:
        gc.callbacks.remove(note)
    assert asked == [0] and kept


def test_a_job_that_is_over_holds_nothing_on_its_thread(qtbot: QtBot) -> None:
    jobs = Jobs()
    seen: list[str] = []
    job = jobs.start("Work", lambda progress: Ending(seen), quiet=True)
    thread = job.thread
    assert thread is not None
    qtbot.waitUntil(lambda: not jobs.active(quiet=True))
    assert not thread.is_alive()
    del job
    gc.collect()
    assert seen == ["MainThread"]


def test_work_stands_aside_while_the_window_goes_first() -> None:
    stop = threading.Event()
    steps: list[int] = []
    progress = Progress()
    progress.gives_way_by(courtesy.give_way)

    def work() -> None:
        while not stop.is_set():
            progress.advance(1)
            steps.append(1)
            time.sleep(0.0005)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(5):
            begun = len(steps)
            while len(steps) < begun + 3:  # it gets on while nobody goes first
                time.sleep(0.001)
            with courtesy.going_first():
                before = len(steps)
                with courtesy.going_first():
                    time.sleep(0.01)
                time.sleep(0.02)
                assert len(steps) <= before + 2  # alone it makes dozens of steps meanwhile
    finally:
        stop.set()
        worker.join()


def test_nobody_stands_aside_forever() -> None:
    with courtesy.going_first():
        for _ in range(1000):  # a dialog that stays open inside holds up the first step alone
            courtesy.give_way()
