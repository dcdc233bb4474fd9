"""Runs the test of a remote beside the window and tells each step as it comes. Knows no widget."""

from __future__ import annotations

from collections import deque

from PySide6.QtCore import QObject, Signal

from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.workflows import remote_test
from modelkeep.core.workflows.remote_test import State, Step
from modelkeep.core.workflows.storage import Draft
from modelkeep.gui import jobs
from modelkeep.gui.dialogs.steps import Steps
from modelkeep.gui.jobs import Job, Jobs
from modelkeep.gui.wording import line, translate


class Trial(QObject):
    """One test at a time. `changed` after every step; `ended` when it is over, however it ended."""

    changed = Signal()
    ended = Signal()

    def __init__(self, running: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = running
        self._job: Job | None = None
        self._keyfile = ""
        self._shown: deque[Step] = deque()  # from the worker; taken in by the window's own thread
        self.steps = Steps()
        running.ticked.connect(self._take)
        running.ended.connect(self._over)

    @property
    def is_running(self) -> bool:
        """Whether a test is going on."""
        return self._job is not None

    def start(self, project: Project, name: str, kind: str, *, draft: Draft | None = None) -> None:
        """Test the remote `name` of the project, or the one `draft` describes before it is in the config."""
        self.stop()
        self._keyfile = draft.keyfile if draft is not None and draft.login == "key" else ""
        shown = self._shown = deque()
        self.steps = Steps(remote_test.steps_for(kind))
        self.steps.begin()

        def work(progress: Progress) -> tuple[Step, ...]:
            spec = draft.spec() if draft is not None else None
            return remote_test.run_test(
                project, name or None, spec=spec, show=shown.append, progress=progress
            )

        title = translate("Trial", "Test {name}").format(name=name)
        self._job = self._jobs.start(
            title, work, jobs.remote_lane(name), owner=self, slot="test", quiet=True,
            on_done=self._done, on_failed=self._failed,
        )  # fmt: skip
        self.changed.emit()

    def stop(self) -> bool:
        """Give the test up, if one is going on; says whether there was one."""
        job, self._job = self._job, None
        if job is None:
            return False
        self._jobs.cancel(job)
        self.steps.cancel()
        self.changed.emit()
        self.ended.emit()
        return True

    def _take(self) -> None:
        if self._job is None or not self._shown:
            return
        while self._shown:
            self.steps.take(self._shown.popleft())
        self.changed.emit()

    def _done(self, steps: tuple[Step, ...]) -> None:
        self._job = None
        self.steps.end(steps)
        self.changed.emit()
        self.ended.emit()

    def _failed(self, error: Exception) -> None:
        """The test itself failed; it is told where it stood."""
        title, hint = getattr(error, "title", "") or str(error), getattr(error, "hint", "")
        self._end_here(title, hint, getattr(error, "detail", "") or "")

    def _end_here(self, text: str, advice: str, detail: str = "") -> None:
        self._take()
        self._job = None
        rows = self.steps.rows
        current = next((one for one in rows if one.state is State.RUNNING), None)
        current = current or next((one for one in rows if one.state is State.WAITING), None)
        if current is not None:
            self.steps.take(Step(current.key, current.title, State.FAILED, text, advice, detail))
        self.steps.cancel()
        self.changed.emit()
        self.ended.emit()

    def _over(self, job: Job) -> None:
        """Cancelled by somebody else: a question was not answered, or the window closes."""
        if job is self._job and job.state is jobs.State.CANCELLED:
            self._end_here(*_unanswered(self._keyfile))


def _unanswered(keyfile: str) -> tuple[str, str]:
    """What it means that a question was left open, and what to try."""
    if not keyfile:
        return (
            translate("Trial", "What was asked here was not answered."),
            translate("Trial", "Run the test again, or go back and choose another way to log in."),
        )
    advice = translate(
        "Trial",
        "Look whether it is the right key, whether its passphrase was right, whether the server has its public half (ssh-copy-id), and whether you alone can read the file: chmod 600 {file}",
    )
    return (
        translate("Trial", "The key did not open the server, and what was asked next was not answered."),
        advice.format(file=line(keyfile)),
    )
