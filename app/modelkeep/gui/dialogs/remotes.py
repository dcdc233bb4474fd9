"""Where data is stored: the list of remotes, and the dialog that adds one or changes its address."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeView, QWidget

from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Changes, Remote
from modelkeep.core.workflows import setup
from modelkeep.gui import jobs, theme
from modelkeep.gui.columns import Column
from modelkeep.gui.dialogs.addremote import AddRemoteDialog
from modelkeep.gui.dialogs.confirm import ConfirmDialog
from modelkeep.gui.dialogs.frame import allow
from modelkeep.gui.dialogs.working import WorkingDialog
from modelkeep.gui.models import RowsModel
from modelkeep.gui.widgets import button, column, row
from modelkeep.gui.wording import translate


def _columns() -> tuple[Column, ...]:
    return (
        Column(
            "name",
            translate("Remotes", "Name"),
            lambda remote: remote.name,
            icon=lambda remote: "folder" if remote.kind == "local" else "remote",
            bold=lambda remote: remote.is_default,
            width=150,
        ),
        Column(
            "url",
            translate("Remotes", "Address"),
            lambda remote: remote.url,
            tip=lambda remote: remote.url,
            width=270,
        ),
        Column(
            "state",
            translate("Remotes", "State"),
            _state,
            colour=_colour,
            tip=lambda remote: remote.problem,
            width=110,
        ),
    )


def _state(remote: Remote) -> str:
    if remote.problem:
        return translate("Remotes", "cannot be used")
    if remote.has_secret_in_config:
        return translate("Remotes", "password in config")
    return translate("Remotes", "default") if remote.is_default else ""


def _colour(remote: Remote) -> str | None:
    return "bad" if remote.problem else "warn" if remote.has_secret_in_config else "muted"


class RemotesDialog(WorkingDialog):
    """Lists, adds, changes, tests and removes remotes. `changed` carries what each step did."""

    changed = Signal(object)

    def __init__(self, project: Project, running: jobs.Jobs, parent: QWidget | None = None) -> None:
        super().__init__(
            translate("Remotes", "Remotes"),
            icon="remote",
            heading=translate("Remotes", "Where data is stored"),
            text=translate(
                "Remotes",
                "A remote is a folder on a server or a shared disk. Colleagues get the data from there.",
            ),
            parent=parent,
            width=680,
        )
        self._project, self._jobs = project, running
        self._model = RowsModel(_columns(), parent=self)
        self.list = QTreeView()
        self._build_list()
        self.add = button(translate("Remotes", "&Add…"), "add")
        self.edit = button(translate("Remotes", "&Edit…"))
        self.test = button(translate("Remotes", "&Test"))
        self.prefer = button(translate("Remotes", "Make &default"))
        self.remove = button(translate("Remotes", "&Remove…"), look="danger")
        side = column(self.add, self.edit, self.test, self.prefer, theme.GRID, self.remove, None)
        self.body.addLayout(row(self.list, side, spacing=2 * theme.GRID))
        self.cancel = self.close_button()
        self.add.clicked.connect(self._add)
        self.edit.clicked.connect(self._edit)
        self.test.clicked.connect(self._test)
        self.prefer.clicked.connect(self._prefer)
        self.remove.clicked.connect(self._ask_to_remove)
        self._show()

    def _build_list(self) -> None:
        self.list.setModel(self._model)
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setAccessibleName(translate("Remotes", "Remotes of this project"))
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setTabKeyNavigation(False)
        self.list.setMinimumHeight(20 * theme.GRID)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.list.selectionModel().selectionChanged.connect(lambda *_: self._check())

    def _show(self, name: str = "") -> None:
        remotes = self._project.remotes()
        self._model.set_rows(remotes)
        names = [one.name for one in remotes]
        if names:
            place = names.index(name) if name in names else 0
            self.list.setCurrentIndex(self._model.index(place, 0))
        self._check()

    @property
    def chosen(self) -> Remote | None:
        """The remote that is marked."""
        index = self.list.currentIndex()
        return self._model.rows[index.row()] if index.isValid() else None

    def _check(self) -> None:
        remote = self.chosen
        reason = "" if remote else translate("Remotes", "Choose a remote first")
        for one in (self.edit, self.test, self.remove):
            allow(one, reason)
        is_default = remote is not None and remote.is_default
        allow(self.prefer, reason or (translate("Remotes", "It is the default") if is_default else ""))

    def _add(self) -> None:
        self._open(AddRemoteDialog(self._project, self._jobs, parent=self))

    def _edit(self) -> None:
        if self.chosen is not None:
            self._open(AddRemoteDialog(self._project, self._jobs, edit=self.chosen, parent=self))

    def _open(self, dialog: AddRemoteDialog) -> None:
        dialog.changed.connect(self._done)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _test(self) -> None:
        remote, project = self.chosen, self._project
        if remote is None:
            return
        name = remote.name

        def work(progress: Progress) -> str:
            return setup.test_remote(project, name, progress)

        title = translate("Remotes", "Test {name}").format(name=name)
        self.run(title, work, self._tested, lane=jobs.remote_lane(name))

    def _tested(self, said: str) -> None:
        self.notice.say("done", translate("Remotes", "It works: {what}").format(what=said))

    def _prefer(self) -> None:
        if self.chosen is not None:
            project, name = self._project, self.chosen.name
            self._change(lambda progress: setup.set_default_remote(project, name))

    def _ask_to_remove(self) -> None:
        remote = self.chosen
        if remote is None:
            return
        dialog = ConfirmDialog(
            translate("Remotes", "Remove the remote {name}?").format(name=remote.name),
            verb=translate("Remotes", "Remove remote"),
            text=translate("Remotes", "Only its name and address are forgotten; what is stored there stays."),
            paths=[remote.url],
            parent=self,
        )
        dialog.accepted.connect(lambda: self._remove(remote.name))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _remove(self, name: str) -> None:
        project = self._project
        self._change(lambda progress: setup.remove_remote(project, name))

    def _change(self, work: Callable[[Progress], Changes]) -> None:
        self.run(translate("Remotes", "Change the remotes"), work, self._done)

    def _done(self, changes: Changes) -> None:
        self.changed.emit(changes)
        self._show()
