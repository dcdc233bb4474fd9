"""The live test of a remote that the project knows already, in a dialog of its own."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from modelkeep.core.project import Project
from modelkeep.core.values import Remote
from modelkeep.gui.dialogs.forgethost import ForgetHost
from modelkeep.gui.dialogs.frame import Dialog
from modelkeep.gui.dialogs.stepsview import StepsView
from modelkeep.gui.dialogs.trial import Trial
from modelkeep.gui.jobs import Jobs
from modelkeep.gui.wording import line, translate


class RemoteTestDialog(Dialog):
    """Starts at once; Esc ends a running test first and closes the dialog then."""

    def __init__(
        self, project: Project, running: Jobs, remote: Remote, parent: QWidget | None = None
    ) -> None:
        super().__init__(
            translate("RemoteTest", "Test remote"),
            icon="remote",
            heading=translate("RemoteTest", "Testing {name}").format(name=line(remote.name)),
            text=remote.url,
            parent=parent,
            width=640,
        )
        self._project, self._jobs, self._remote = project, running, remote
        self.trial = Trial(running, self)
        self.view = StepsView(translate("RemoteTest", "Steps of the test"))
        self.view.setMinimumHeight(360)
        self.body.addWidget(self.view, 1)
        self.again = self.extra_button(translate("RemoteTest", "&Run again"), "retry")
        self.again.clicked.connect(self.run)
        self.forget = self.extra_button(translate("RemoteTest", "&Forget this host…"))
        self.forget.clicked.connect(self._forget)
        self.close_it = self.close_button()
        self.trial.changed.connect(self._show)
        self.run()

    def run(self) -> None:
        """Test it from the beginning."""
        self.trial.start(self._project, self._remote.name, self._remote.kind)

    def _show(self) -> None:
        steps, running = self.trial.steps, self.trial.is_running
        self.view.show_steps(steps)
        self.again.setEnabled(not running)
        failed = steps.failed
        self.forget.setVisible(failed is not None and failed.forgettable is not None and not running)
        name = line(self._remote.name)
        texts = (
            translate("RemoteTest", "Testing {name}"),
            translate("RemoteTest", "{name} works"),
            translate("RemoteTest", "{name} does not work"),
        )
        self.heading.setText(texts[0 if running else 1 if steps.is_good else 2].format(name=name))
        self.close_it.setText(
            translate("RemoteTest", "Cancel") if running else translate("RemoteTest", "Close")
        )

    def reject(self) -> None:
        if not self.trial.stop():
            super().reject()

    def _forget(self) -> None:
        failed = self.trial.steps.failed
        if failed is None or failed.forgettable is None:
            return
        dialog = ForgetHost(self._jobs, failed.forgettable, self)
        dialog.accepted.connect(self.run)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
