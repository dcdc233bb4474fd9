"""The page of the live test: it starts by itself, can be run again, and says what to try when it fails."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QPushButton

from modelkeep.core.workflows import storage
from modelkeep.gui.dialogs.forgethost import ForgetHost
from modelkeep.gui.dialogs.stepsview import StepsView
from modelkeep.gui.dialogs.trial import Trial
from modelkeep.gui.dialogs.wizard.choices import Choices
from modelkeep.gui.dialogs.wizard.page import Page
from modelkeep.gui.session import Session
from modelkeep.gui.widgets import button
from modelkeep.gui.wording import translate


class TrialPage(Page):
    """One can go on when the test went well, or with the button that says so without it."""

    def __init__(self, choices: Choices, session: Session) -> None:
        super().__init__()
        self.title = translate("Setup", "Live test")
        self._choices, self._session = choices, session
        self._without = False
        self.trial = Trial(session.jobs, self)
        self.view = StepsView(translate("Setup", "Steps of the test"))
        self.body.addWidget(self.view, 1)
        self.again = button(translate("Setup", "&Run again"), "retry")
        self.without = button(translate("Setup", "Go on &without a test"))
        self.forget = button(translate("Setup", "&Forget this host…"))
        self.again.clicked.connect(self.run)
        self.without.clicked.connect(self._go_without)
        self.forget.clicked.connect(self._forget)
        self.trial.changed.connect(self._show)
        self.trial.ended.connect(self._ended)
        self._leave: Callable[[], None] | None = None

    # -- page ------------------------------------------------------------------------------------------

    def enter(self) -> None:
        self._without = False
        self._tell()
        if not self._choices.is_tested:
            self.run()

    def extras(self) -> tuple[QPushButton, ...]:
        return self.again, self.without, self.forget

    def first(self) -> QPushButton | None:
        return None if self.trial.is_running or self.trial.steps.is_good else self.again

    def problem(self) -> str:
        if self.trial.is_running:
            return translate("Setup", "The test is going on")
        if self._choices.is_tested or self._without:
            return ""
        return translate("Setup", "The test has not succeeded yet")

    def stop(self) -> bool:
        return self.trial.stop()

    # -- testing ---------------------------------------------------------------------------------------

    def run(self) -> None:
        """Test what is chosen now, from the beginning."""
        project, draft = self._session.project, self._choices.draft
        if project is None or draft is None:
            return
        self._choices.tested = None
        storage.offer(project, draft)
        self.trial.start(project, draft.name, draft.kind, draft=draft)

    def _show(self) -> None:
        self.view.show_steps(self.trial.steps)
        self._tell()

    def _tell(self) -> None:
        steps = self.trial.steps
        running, failed = self.trial.is_running, steps.failed
        if running or not steps.rows:
            self.heading = translate("Setup", "Testing the storage")
            self.text = translate("Setup", "Each step is tried for real. Nothing is left behind.")
        elif failed is not None:
            self.heading = translate("Setup", "It does not work yet")
            self.text = translate(
                "Setup", "Nothing was written. Mend what it says, or go back and change it."
            )
        elif steps.is_good:
            self.heading = translate("Setup", "It works")
            self.text = translate("Setup", "Each step was tried for real, and nothing was left behind.")
        else:
            self.heading = translate("Setup", "The test was cancelled")
            self.text = translate("Setup", "Nothing was written. Run it again when you like.")
        for one in self.extras():
            one.setEnabled(not running)
        self.without.setVisible(self.isVisible() and not running and not steps.is_good)
        changed_key = failed is not None and failed.forgettable is not None
        self.forget.setVisible(self.isVisible() and not running and changed_key)
        self.changed.emit()

    def _ended(self) -> None:
        if self.trial.steps.is_good:
            self._choices.passed(self.trial.steps.rows)
        self._show()
        self.turned.emit()

    def _go_without(self) -> None:
        self._without = True
        self.changed.emit()
        if self._leave is not None:
            self._leave()

    def goes_on_by(self, leave: Callable[[], None]) -> None:
        """What the button that goes on without a test does."""
        self._leave = leave

    def _forget(self) -> None:
        failed = self.trial.steps.failed
        if failed is None or failed.forgettable is None:
            return
        dialog = ForgetHost(self._session.jobs, failed.forgettable, self.window())
        dialog.accepted.connect(self.run)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
