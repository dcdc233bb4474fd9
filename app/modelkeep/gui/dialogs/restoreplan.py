"""The preview of a restore: what is fetched, created, replaced and deleted, and what stands in the way."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QRadioButton, QWidget

from modelkeep.core.workflows.restore import How, RestorePlan
from modelkeep.gui import theme, wording
from modelkeep.gui.dialogs.expander import Expander
from modelkeep.gui.dialogs.pathlist import PathList
from modelkeep.gui.dialogs.planview import PlanView
from modelkeep.gui.widgets import column
from modelkeep.gui.wording import counted, translate


class RestoreView(PlanView):
    """Shows a RestorePlan. Where unsaved files are in the way it lets the user choose: stop, or save and
    replace; `decided` tells the choice."""

    decided = Signal()

    def __init__(self) -> None:
        super().__init__(translate("Restore", "What will happen"))
        self._replace: QRadioButton | None = None

    @property
    def saves_and_replaces(self) -> bool:
        """Whether the user chose to have unsaved files kept in the cache and replaced."""
        return self._replace is not None and self._replace.isChecked()

    def clear(self, summary: str = "") -> None:
        self._replace = None
        super().clear(summary)

    def show_plan(self, plan: RestorePlan) -> None:
        """Show another plan; an earlier choice is forgotten."""
        self.clear(_summary(plan))
        if plan.missing:
            self._list(
                "error",
                translate("Restore", "Data of this version is neither here nor on the remote."),
                translate("Restore", "Ask whoever made the version to push it."),
                plan.missing,
            )
        if plan.git_changes:
            self._list(
                "error",
                counted(
                    len(plan.git_changes),
                    translate("Restore", "A file with changes that are not committed is in the way."),
                    translate("Restore", "{n} files with changes that are not committed are in the way."),
                ),
                translate("Restore", "Commit or discard the changes with git first."),
                plan.git_changes,
            )
        if plan.unsaved:
            self._ask_about(plan.unsaved)
        self._count(plan.create, "added", "good", translate("Restore", "{files} created"))
        self._count(plan.replace, "changed", "warn", translate("Restore", "{files} replaced"))
        self._count(plan.delete, "removed", "bad", translate("Restore", "{files} deleted"))

    def obstacle(self, plan: RestorePlan) -> str:
        """Why it cannot start now, "" if it can."""
        if plan.missing:
            return translate("Restore", "Data of this version is missing")
        if plan.git_changes:
            return counted(
                len(plan.git_changes),
                translate("Restore", "An uncommitted file is in the way"),
                translate("Restore", "Uncommitted files are in the way"),
            )
        if plan.unsaved and not self.saves_and_replaces:
            return counted(
                len(plan.unsaved),
                translate("Restore", "An unsaved file is in the way; decide what happens to it"),
                translate("Restore", "Unsaved files are in the way; decide what happens to them"),
            )
        return ""

    def _list(self, kind: str, text: str, fix: str, paths: tuple[str, ...]) -> None:
        self.add_remark(kind, text, fix)
        self.add_widget(PathList(paths, text))

    def _ask_about(self, paths: tuple[str, ...]) -> None:
        text = counted(
            len(paths),
            translate("Restore", "{n} file holds data that is saved nowhere else."),
            translate("Restore", "{n} files hold data that is saved nowhere else."),
        )
        self._list("warning", text, "", paths)
        stop = QRadioButton(
            counted(
                len(paths),
                translate("Restore", "&Keep it and stop here"),
                translate("Restore", "&Keep them and stop here"),
            )
        )
        replace = QRadioButton(
            counted(
                len(paths),
                translate("Restore", "&Save it in the cache, then replace it"),
                translate("Restore", "&Save them in the cache, then replace them"),
            )
        )
        replace.setToolTip(translate("Restore", "Bring back what was replaced… gets it back afterwards"))
        group = QWidget()
        group.setLayout(column(stop, replace, spacing=theme.HALF))
        stop.setChecked(True)
        self._replace = replace
        replace.toggled.connect(lambda _: self.decided.emit())
        self.add_widget(group)

    def _count(self, paths: tuple[str, ...], meaning: str, role: str, text: str) -> None:
        if paths:
            self.add_widget(Expander(text.format(files=wording.files(len(paths))), paths, meaning, role))


def _summary(plan: RestorePlan) -> str:
    if plan.is_blocked:
        return ""
    if plan.fetch_files:
        return translate("Restore", "{files}, {size} are fetched from the remote.").format(
            files=wording.files(plan.fetch_files), size=wording.size(plan.fetch_bytes)
        )
    if not (plan.create or plan.replace or plan.delete):
        return translate("Restore", "All the data is in place already.")
    return translate("Restore", "All the data is on this machine; nothing has to be fetched.")


def verb(plan: RestorePlan) -> str:
    """What the button says: the verb and the number of files it changes."""
    if plan.replace and plan.delete:
        return translate("Restore", "Replace {n}, delete {files}").format(
            n=wording.number(len(plan.replace)), files=wording.files(len(plan.delete))
        )
    if plan.replace:
        return translate("Restore", "Replace {files}").format(files=wording.files(len(plan.replace)))
    if plan.delete:
        return translate("Restore", "Delete {files}").format(files=wording.files(len(plan.delete)))
    if plan.how is How.FOLDER:
        return translate("Restore", "Export {files}").format(files=wording.files(len(plan.create)))
    if plan.create:
        return translate("Restore", "Restore {files}").format(files=wording.files(len(plan.create)))
    return translate("Restore", "Restore")
