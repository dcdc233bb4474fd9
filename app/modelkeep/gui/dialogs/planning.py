"""A dialog whose plan is made anew in a job while the user types, and shown where the steps are. Changes nothing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QPushButton

from modelkeep.core.progress import Progress
from modelkeep.gui.advice import in_window
from modelkeep.gui.dialogs.frame import Dialog, allow
from modelkeep.gui.dialogs.planview import PlanView
from modelkeep.gui.jobs import Jobs

_PAUSE = 250  # milliseconds of quiet typing before the plan is made anew


class PlanningDialog(Dialog):
    """`plan_soon` makes the plan after a pause; `wait` and a failure are told in `view` and lock `proceed`."""

    view: PlanView
    proceed: QPushButton

    def watch(self, running: Jobs) -> None:
        """Read and plan with these jobs."""
        self._jobs = running
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE)
        self._pause.timeout.connect(self.make_plan)

    @abstractmethod
    def make_plan(self) -> None:
        """Start the job that plans what is chosen now."""

    @property
    def is_pausing(self) -> bool:
        """Whether the user is typing still, so that a plan that comes now is out of date."""
        return self._pause.isActive()

    def plan_soon(self) -> None:
        """Make the plan once the user has stopped typing."""
        self._pause.start()

    def plan_not(self) -> None:
        """Forget the plan that was to be made."""
        self._pause.stop()

    def read(
        self, title: str, slot: str, work: Callable[[Progress], Any], done: Callable[[Any], None]
    ) -> None:
        """Run `work`, which only reads, in place of an earlier one of the same `slot`."""
        self._jobs.start(
            title, work, owner=self, slot=slot, quiet=True, on_done=done, on_failed=self._tell_failure
        )

    def wait(self, text: str) -> None:
        """Say what is being read."""
        self.view.clear()
        self.view.add_step("busy", text, dim=True)
        allow(self.proceed, text)

    def _tell_failure(self, error: Exception) -> None:
        title = getattr(error, "title", "") or str(error)
        self.view.clear()
        self.view.add_remark("error", title, in_window(getattr(error, "hint", "")))
        allow(self.proceed, title)
