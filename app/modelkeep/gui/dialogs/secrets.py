"""Moves secrets out of files: what was found where, what will be done, then doing it. Never shows a value."""

from __future__ import annotations

from contextlib import nullcontext

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QWidget

from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Changes
from modelkeep.core.workflows import secrets
from modelkeep.core.workflows.secrets import Finding, Findings
from modelkeep.gui import theme
from modelkeep.gui.dialogs.frame import Notice, allow
from modelkeep.gui.dialogs.keptvault import KeptVault
from modelkeep.gui.dialogs.planview import PlanView
from modelkeep.gui.dialogs.working import WorkingDialog
from modelkeep.gui.jobs import Jobs
from modelkeep.gui.widgets import button, row
from modelkeep.gui.wording import counted, translate


class SecretsDialog(WorkingDialog):
    """Looks again when it opens, in the whole history too; `changed` carries what was moved."""

    changed = Signal(object)

    def __init__(self, project: Project, running: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(
            translate("Secrets", "Move to keyring"),
            icon="key",
            heading=translate("Secrets", "Passwords in files"),
            text=translate(
                "Secrets",
                "A password in a file is read by everybody who gets the file. In the keyring it is yours alone.",
            ),
            parent=parent,
            width=640,
        )
        self._project, self._jobs = project, running
        self._findings: Findings | None = None
        self._checks: dict[Finding, Notice] = {}
        self.view = PlanView(
            translate("Secrets", "What was found, and what will be done"), most=50 * theme.GRID
        )
        self.body.addWidget(self.view, 1)
        self.commit = QCheckBox(translate("Secrets", "&Commit the cleaned .dvc/config"))
        self.commit.setVisible(False)
        self.body.addWidget(self.commit)
        self.proceed = self.primary(translate("Secrets", "Move to keyring"), "key")
        self._look()

    # -- looking ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        project = self._project
        self.view.clear()
        self.view.add_step(
            "busy", translate("Secrets", "Looking in the files and in the whole history…"), dim=True
        )
        allow(self.proceed, translate("Secrets", "Still looking"))

        def look(progress: Progress) -> tuple[Findings, str, bool]:
            found = secrets.scan(project, history=True, progress=progress)
            return found, project.vault.describe(), project.vault.is_persistent

        title = translate("Secrets", "Look for passwords in files")
        self._jobs.start(
            title, look, owner=self, slot="look", quiet=True,
            on_done=lambda answer: self.show_findings(*answer), on_failed=self._fail,
        )  # fmt: skip

    def show_findings(self, findings: Findings, place: str, persistent: bool) -> None:
        """Show what was found and the plan for it; `place` names the keyring."""
        self._findings = findings
        here, past, movable = list(findings.in_files), list(findings.in_history), list(findings.movable)
        self.view.clear(self._summary(len(here), len(past)))
        for one in here:
            self.view.add_remark("warning", one.text)
        if movable and persistent:
            self._show_plan(place)
        if past:
            self._show_history(past)
        if not findings.local_is_ignored:
            self.view.add_remark(
                "warning",
                translate("Secrets", "Git does not leave out .dvc/config.local."),
                translate("Secrets", "Add the line /config.local to .dvc/.gitignore."),
            )
        self.commit.setVisible(persistent and any(one.in_git for one in movable))
        self._allow(movable, place, persistent)
        (self.proceed if self.proceed.isEnabled() else self.cancel).setFocus()
        self.refit()

    def _allow(self, movable: list[Finding], place: str, persistent: bool) -> None:
        if movable and not persistent:
            allow(self.proceed, place)
            self.notice.say("warning", translate("Secrets", "There is no keyring to move them into."), place)
            return
        allow(
            self.proceed,
            "" if movable else translate("Secrets", "Nothing stands in a file that can be moved"),
        )
        self.proceed.setText(
            counted(
                len(movable),
                translate("Secrets", "Move {n} secret"),
                translate("Secrets", "Move {n} secrets"),
            )
            if movable
            else translate("Secrets", "Move to keyring")
        )
        if not movable:
            self.cancel.setText(translate("Secrets", "Close"))
            self.cancel.setFocus()

    @staticmethod
    def _summary(here: int, past: int) -> str:
        if not here and not past:
            return translate("Secrets", "No secret stands in a file or in the history.")
        if not here:
            return translate("Secrets", "The files are clean. The history is not.")
        return counted(
            here,
            translate("Secrets", "{n} secret stands in a file"),
            translate("Secrets", "{n} secrets stand in files"),
        )

    def _show_plan(self, place: str) -> None:
        for icon, text, detail in (
            ("key", translate("Secrets", "Put into the keyring"), place),
            ("done", translate("Secrets", "Read back, to be sure"), ""),
            (
                "text",
                translate("Secrets", "Take out of the file"),
                translate("Secrets", "the rest stays as it is"),
            ),
            ("search", translate("Secrets", "Look that it is gone"), ""),
        ):
            self.view.add_step(icon, text, detail)

    def _show_history(self, past: list[Finding]) -> None:
        self.view.add_remark(
            "warning",
            translate("Secrets", "What the history has stays there, in every copy of the repository."),
            translate("Secrets", "Change it on the server. Only that makes the old one worthless."),
        )
        for one in past:
            if not one.level:
                self.view.add_remark("warning", one.text)
            if one.kind == "ssh":
                self._add_check(one)

    def _add_check(self, finding: Finding) -> None:
        """One try with the old password, on the host it was for, and only when the user asks for it."""
        ask = button(translate("Secrets", "Check whether the old one still works"), look="link")
        said = Notice()
        self._checks[finding] = said
        ask.clicked.connect(lambda: self._check_old(finding))
        holder = QWidget()
        holder.setLayout(row(ask, None))
        self.view.add_widget(holder)
        self.view.add_widget(said)
        said.hide()

    def _check_old(self, finding: Finding) -> None:
        project = self._project
        said = self._checks[finding]
        said.say("busy", translate("Secrets", "Trying it once…"))

        def check(progress: Progress) -> bool | None:
            return secrets.still_works(project, finding, progress)

        self._jobs.start(
            translate("Secrets", "Check an old password"), check, owner=self, slot="check", quiet=True,
            on_done=lambda works: _tell_check(said, works),
            on_failed=lambda error: said.say("warning", str(error)),
        )  # fmt: skip

    # -- doing -----------------------------------------------------------------------------------------

    def accept(self) -> None:
        findings, project = self._findings, self._project
        if findings is None or self.is_working or not self.proceed.isEnabled():
            return
        commit = self.commit.isVisible() and self.commit.isChecked()

        def move(progress: Progress) -> Changes:
            vault = project.vault
            with vault.for_good() if isinstance(vault, KeptVault) else nullcontext():
                return secrets.migrate(project, findings.movable, commit=commit, progress=progress)

        self.run(translate("Secrets", "Move to the keyring"), move, self._moved)

    def _moved(self, changes: Changes) -> None:
        self.changed.emit(changes)
        self.view.clear(changes.summary)
        for note in changes.notes:
            self.view.add_remark("info", note)
        self.commit.hide()
        self.proceed.hide()
        self.cancel.setText(translate("Secrets", "Close"))
        self.cancel.setDefault(True)
        self.cancel.setFocus()


def _tell_check(said: Notice, works: bool | None) -> None:
    if works:
        text = translate("Secrets", "It still opens the server. Change it there now.")
        said.say("error", text)
    elif works is None:
        said.say("info", translate("Secrets", "That could not be found out."))
    else:
        said.say("done", translate("Secrets", "The server does not take it any more."))
