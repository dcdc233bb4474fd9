"""A dialog that does its own short work before it closes: busy, done, or what went wrong, in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QProgressBar

from modelkeep.core.errors import ModelkeepError
from modelkeep.core.progress import Progress
from modelkeep.gui import jobs, wording
from modelkeep.gui.advice import in_window
from modelkeep.gui.dialogs.frame import Dialog
from modelkeep.gui.jobs import Job, Jobs, State
from modelkeep.gui.wording import translate


class WorkingDialog(Dialog):
    """While it works the fields are locked and Cancel cancels the work; an error is shown and can be mended."""

    _jobs: Jobs
    _job: Job | None = None
    _bar: QProgressBar | None = None

    def run(
        self,
        title: str,
        work: Callable[[Progress], Any],
        done: Callable[[Any], None],
        *,
        lane: str = jobs.REPOSITORY,
    ) -> None:
        """Start `work` as a job of this dialog; `done` gets its result."""
        self.lock(True)
        self.notice.say("busy", title)
        self._show_bar()

        def finish(result: Any) -> None:
            self._rest()
            self.notice.say("", "")
            done(result)

        self._job = self._jobs.start(
            title, work, lane, owner=self, slot="work", quiet=True, on_done=finish, on_failed=self._fail
        )
        self._jobs.ticked.connect(self._tick)

    @property
    def is_working(self) -> bool:
        """Whether its job is still going on."""
        return self._job is not None and not self._job.state.is_over

    def lock(self, locked: bool) -> None:
        """Lock the fields and the buttons but Cancel."""
        self.inside.setEnabled(not locked)
        for one in self.buttons.buttons():
            one.setEnabled(one is self.cancel or not locked)

    def reject(self) -> None:
        if self.is_working and self._job is not None:
            self._jobs.cancel(self._job)
            self._rest()
            self.notice.say("info", translate("Working", "Cancelled. Nothing was left half done."))
            return
        super().reject()

    def _show_bar(self) -> None:
        if self._bar is None:
            self._bar = QProgressBar(self)
            self._bar.setTextVisible(False)
            self._bar.setAccessibleName(translate("Working", "Progress"))
            self.main.insertWidget(self.main.count() - 1, self._bar)
        self._bar.setRange(0, 0)
        QTimer.singleShot(300, self, self._appear)

    def _appear(self) -> None:
        if self._bar is not None:
            self._bar.setVisible(self.is_working)

    def _tick(self) -> None:
        job = self._job
        if job is None or job.state is not State.RUNNING or self._bar is None:
            return
        fraction = job.reading.fraction
        self._bar.setRange(0, 0 if fraction is None else 1000)
        self._bar.setValue(round(1000 * (fraction or 0)))
        if job.reading.done_bytes:
            self.notice.say("busy", job.title, wording.size(job.reading.done_bytes))

    def _rest(self) -> None:
        self._jobs.ticked.disconnect(self._tick)
        self._job = None
        if self._bar is not None:
            self._bar.hide()
        self.lock(False)

    def _fail(self, error: Exception) -> None:
        self._rest()
        if isinstance(error, ModelkeepError):
            text = "\n".join(part for part in (error.title, error.detail) if part)
            self.notice.say("error", text, in_window(error.hint))
        else:
            self.notice.say("error", f"{type(error).__name__}: {error}")
        self.refit()
