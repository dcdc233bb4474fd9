"""Where data is stored: the remotes with their state, each setting with the file it comes from, and what is ignored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeView, QWidget

from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Changes, Remote
from modelkeep.core.workflows import setup, storage
from modelkeep.gui import theme
from modelkeep.gui.columns import Column
from modelkeep.gui.dialogs.confirm import ConfirmDialog
from modelkeep.gui.dialogs.frame import allow
from modelkeep.gui.dialogs.pathlist import Tall
from modelkeep.gui.dialogs.remotetest import RemoteTestDialog
from modelkeep.gui.dialogs.wizard.storage import SetupWizard
from modelkeep.gui.dialogs.working import WorkingDialog
from modelkeep.gui.models import RowsModel
from modelkeep.gui.session import Session
from modelkeep.gui.widgets import PlainLabel, button, column, row
from modelkeep.gui.wording import line, translate


@dataclass(frozen=True)
class Setting:
    """One line of the lower list: a setting in force, or one that is ignored and `why`."""

    key: str
    value: str
    place: str
    why: str = ""


def settings_of(project: Project, remote: Remote) -> tuple[Setting, ...]:
    """Every setting of a remote with the file it comes from, then what the repository asks for in vain."""
    found = [Setting(one.key, one.value, one.file) for one in storage.values_of(project, remote.name)]
    for one in project.config.ignored():
        if one.remote in ("", remote.name):
            found.append(Setting(one.key, translate("Remotes", "ignored"), ".dvc/config", one.why))
    return tuple(found)


class RemotesDialog(WorkingDialog):
    """`changed` carries the Changes of what was written; the dialog stays open for more."""

    changed = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(
            translate("Remotes", "Remotes"),
            icon="remote",
            heading=translate("Remotes", "Where data is stored"),
            text=translate(
                "Remotes",
                "A remote is a folder on a server or a shared disk. Colleagues get the data from there.",
            ),
            parent=parent,
            width=760,
        )
        assert session.project is not None
        self._session, self._project, self._jobs = session, session.project, session.jobs
        self.following = ""  # what the user wants after this dialog
        self._model = RowsModel(_columns(), parent=self)
        self._details = RowsModel(_detail_columns(), parent=self)
        self.list = _table(self._model, translate("Remotes", "Remotes of this project"), stretch=1)
        self.settings = _table(self._details, translate("Remotes", "Settings of the remote"), stretch=1)
        self.list.setMinimumHeight(18 * theme.GRID)
        self.settings.setMinimumHeight(18 * theme.GRID)
        self._add_buttons()
        self.cancel = self.close_button()
        self.list.selectionModel().selectionChanged.connect(lambda *_: self._check())
        self.list.activated.connect(lambda _: self._test())
        self._show()
        self.list.setFocus()

    def _add_buttons(self) -> None:
        self.add = button(translate("Remotes", "&Set up…"), "add")
        self.edit = button(translate("Remotes", "&Edit…"))
        self.test = button(translate("Remotes", "&Test…"))
        self.prefer = button(translate("Remotes", "Make &default"))
        self.remove = button(translate("Remotes", "&Remove…"), look="danger")
        side = column(self.add, self.edit, self.test, self.prefer, theme.GRID, self.remove, None)
        self._caption = PlainLabel(translate("Remotes", "Setti&ngs, and the file each comes from"), bold=True)
        self._caption.setBuddy(self.settings)
        self._why = PlainLabel("", look="warn", wrap=True)
        left = column(self.list, theme.HALF, self._caption, self.settings, self._why)
        self.body.addLayout(row(left, side, spacing=2 * theme.GRID))
        for one, run in (
            (self.add, self._add),
            (self.edit, self._edit),
            (self.test, self._test),
            (self.prefer, self._prefer),
            (self.remove, self._ask_to_remove),
        ):
            one.clicked.connect(run)

    # -- showing ---------------------------------------------------------------------------------------

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
        can_do = reason or _not_done(remote)
        allow(self.remove, reason)
        for one in (self.edit, self.test):
            allow(one, can_do)
        is_default = remote is not None and remote.is_default
        allow(self.prefer, reason or (translate("Remotes", "It is the default") if is_default else ""))
        self._show_settings(settings_of(self._project, remote) if remote is not None else ())

    def _show_settings(self, found: Sequence[Setting]) -> None:
        self._details.set_rows(found)
        ignored = [one for one in found if one.why]
        self._why.setText("\n".join(f"{one.key}: {one.why}" for one in ignored))
        self._why.setVisible(bool(ignored))

    # -- doing -----------------------------------------------------------------------------------------

    def _add(self) -> None:
        self._open(SetupWizard(self._session, self))

    def _edit(self) -> None:
        if self.chosen is not None:
            self._open(SetupWizard(self._session, self, edit=self.chosen))

    def _open(self, dialog: SetupWizard) -> None:
        name = self.chosen.name if self.chosen is not None else ""
        dialog.finished.connect(lambda _: self._show(name))
        dialog.accepted.connect(lambda: self._follow(dialog.following))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _follow(self, following: str) -> None:
        """The user wants to go on to publishing: this dialog has had its turn."""
        self.following = following
        self.accept()

    def _test(self) -> None:
        remote = self.chosen
        if remote is None or not self.test.isEnabled():
            return
        dialog = RemoteTestDialog(self._project, self._jobs, remote, self)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _prefer(self) -> None:
        if self.chosen is not None:
            project, name = self._project, self.chosen.name
            self._change(lambda progress: setup.set_default_remote(project, name))

    def _ask_to_remove(self) -> None:
        remote = self.chosen
        if remote is None:
            return
        dialog = ConfirmDialog(
            translate("Remotes", "Remove the remote {name}?").format(name=line(remote.name)),
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
        self._show(self.chosen.name if self.chosen is not None else "")


def _not_done(remote: Remote | None) -> str:
    """Why a remote can be neither tested nor edited here."""
    if remote is None or remote.kind in ("ssh", "local"):
        return ""
    return translate("Remotes", "Modelkeep does not do {kind}:// yet; use the dvc command for it").format(
        kind=line(remote.kind)
    )


def _table(model: RowsModel, name: str, *, stretch: int) -> QTreeView:
    view = QTreeView()
    view.setModel(model)
    view.setRootIsDecorated(False)
    view.setUniformRowHeights(True)
    view.setAccessibleName(name)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setTabKeyNavigation(False)
    view.setItemDelegate(Tall(view))
    view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    header = view.header()
    header.setStretchLastSection(False)
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(stretch, QHeaderView.ResizeMode.Stretch)
    return view


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
            colour=lambda remote: "warn" if _not_fine(remote) else "muted",
            tip=lambda remote: remote.problem,
            width=110,
        ),
    )


def _detail_columns() -> tuple[Column, ...]:
    return (
        Column("key", translate("Remotes", "Setting"), lambda one: one.key, width=150),
        Column(
            "value",
            translate("Remotes", "Value"),
            lambda one: one.value,
            tip=lambda one: one.why or one.value,
            colour=lambda one: "warn" if one.why else None,
            icon=lambda one: "unsafe" if one.why else None,
            width=270,
        ),
        Column(
            "place",
            translate("Remotes", "From"),
            lambda one: one.place,
            tip=lambda one: one.place,
            colour=lambda one: "muted",
            width=150,
        ),
    )


def _not_fine(remote: Remote) -> bool:
    return bool(remote.problem or remote.has_secret_in_config or _not_done(remote))


def _state(remote: Remote) -> str:
    if remote.problem:
        return translate("Remotes", "cannot be used")
    if _not_done(remote):
        return translate("Remotes", "kind not done yet")
    said = [translate("Remotes", "default")] if remote.is_default else []
    if remote.has_secret_in_config:
        said.append(translate("Remotes", "password in config"))
    return ", ".join(said)
