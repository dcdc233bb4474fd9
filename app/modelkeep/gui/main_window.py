"""The window: puts the panels together, remembers its layout, answers the session's wishes. Does no work itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QEvent, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QIcon
from PySide6.QtWidgets import (
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QTabBar,
    QTabWidget,
    QWidget,
)

from modelkeep.core.errors import HostKeyChanged, ModelkeepError, NotAProject
from modelkeep.core.values import Version
from modelkeep.gui import commands, theme, wording
from modelkeep.gui.actions import ActionSet
from modelkeep.gui.palette import CommandPalette
from modelkeep.gui.pane import Pane
from modelkeep.gui.panels.activity import ActivityPanel
from modelkeep.gui.panels.banner import BannerPanel
from modelkeep.gui.panels.contents import ContentsPanel
from modelkeep.gui.panels.details import DetailsPanel
from modelkeep.gui.panels.header import HeaderPanel
from modelkeep.gui.panels.statusbar import StatusPanel
from modelkeep.gui.panels.versions import VersionsPanel
from modelkeep.gui.panels.welcome import WelcomePanel
from modelkeep.gui.session import Session
from modelkeep.gui.views import TreeTable
from modelkeep.gui.widgets import DropCue, Hairline, column, tool
from modelkeep.gui.wording import translate
from modelkeep.resources import resource

_LAYOUT = "window/1"
_TITLE = 32  # pixels left for the title bar, which no platform tells before the window is shown


class MainWindow(QMainWindow):
    """Header, banners, three panes, activity, status; or the start page while no project is open."""

    closing = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._waiting_to_close = False
        self.setWindowIcon(QIcon(str(resource("icons/modelkeep.svg"))))
        self.setMinimumSize(800, 560)
        self.setAcceptDrops(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.command = ActionSet(session, self)
        self.compare_tab: Any = None
        self._build(self.command)
        self._connect()
        self.reset_layout()
        self._restore_layout()
        self._show_project()

    # -- building --------------------------------------------------------------------------------------

    def _build(self, actions: ActionSet) -> None:
        session = self._session
        self.header = HeaderPanel(session, actions)
        self.banner = BannerPanel(session, actions)
        self.versions = VersionsPanel(session, actions)
        self.contents = ContentsPanel(session, actions)
        self.details = DetailsPanel(session, actions)
        self.activity = ActivityPanel(session)
        self.status = StatusPanel(session, actions)
        self.welcome = WelcomePanel(session, actions)
        self.contents.setMinimumWidth(theme.GRID * 30)
        self.center = QSplitter(Qt.Orientation.Horizontal)
        self.center.addWidget(self.contents)
        self.center.addWidget(self.details)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.center, translate("Window", "Browse"))
        self._show_tabs(False)
        self.panes = QSplitter(Qt.Orientation.Horizontal)
        self.panes.addWidget(self.versions)
        self.panes.addWidget(self.tabs)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self.pages.addWidget(self.panes)
        self.waiting = Pane("", QWidget(), bare=True)
        self.pages.addWidget(self.waiting)
        self.upper = QSplitter(Qt.Orientation.Vertical)
        self.upper.addWidget(self.pages)
        self.upper.addWidget(self.activity)
        self.upper.setStretchFactor(0, 1)
        for splitter in (self.center, self.panes, self.upper):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(1)
        middle = QWidget()
        middle.setLayout(
            column(self.header, self.banner, Hairline(), self.upper, Hairline(), self.status, spacing=0)
        )
        self.setCentralWidget(middle)
        self.drop_cue = DropCue(self)

    def _connect(self) -> None:
        session = self._session
        session.opening.connect(self._show_opening)
        session.opened.connect(self._show_project)
        session.closed.connect(self._show_project)
        session.problem.connect(self.show_error)
        session.wish.connect(self._grant)
        session.jobs.added.connect(self._job_added)
        session.jobs.ended.connect(self._job_ended)
        self.activity.close_button.clicked.connect(lambda: self.activity.hide())

    # -- project ---------------------------------------------------------------------------------------

    def _show_opening(self, folder: str) -> None:
        """No start page for the moment it takes to open the project."""
        if self._session.project is None:
            self.waiting.show_view()
            self.waiting.show_loading(
                translate("Window", "Opening {name}…").format(name=wording.line(Path(folder).name))
            )
            self.pages.setCurrentWidget(self.waiting)

    def _show_project(self) -> None:
        project = self._session.project
        self.pages.setCurrentWidget(self.panes if project else self.welcome)
        name = wording.line(project.name) if project else ""
        self.setWindowTitle(f"{name} — Modelkeep" if name else "Modelkeep")
        self._close_tab(1)
        if project is not None:
            self.versions.view.setFocus()
        else:
            self.welcome.first.setFocus()

    def show_error(self, error: Exception) -> None:
        """Show what went wrong, with its cause and fix."""
        from modelkeep.gui.dialogs.errors import show_error

        if isinstance(error, HostKeyChanged):
            self._show_refused_host(error)
            return
        dialog = show_error(self, error)
        if isinstance(error, NotAProject) and error.paths:
            dialog.offer(
                translate("Window", "Start a project here…"),
                lambda: commands.new_project(self._session, self, error.paths[0]),
            )

    def _show_refused_host(self, error: HostKeyChanged) -> None:
        """No way through; forgetting the host is a deed of its own."""
        from modelkeep.core.workflows.hosts import KnownAs
        from modelkeep.gui.dialogs.forgethost import ForgetHost
        from modelkeep.gui.dialogs.hostkey import HostChangedDialog

        dialog = HostChangedDialog(error, self)

        def forget() -> None:
            if dialog.wants_to_forget:
                ForgetHost(self._session.jobs, KnownAs(error.host, error.files), self).open()

        dialog.accepted.connect(forget)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    # -- wishes ----------------------------------------------------------------------------------------

    def _grant(self, name: str, payload: Any) -> None:
        granted: dict[str, Callable[[], object]] = {
            "quit": self.close,
            "find": self.versions.focus_filter,
            "find-contents": self.contents.focus_filter,
            "palette": self.show_palette,
            "activity": lambda: self.activity.setVisible(not self.activity.isVisible()),
            "reset-layout": self.reset_layout,
            "compare": lambda: self.show_compare(*payload),
        }
        granted[name]()

    def show_palette(self) -> None:
        """Open the command palette."""
        palette = CommandPalette(self._session, self.command, self)
        palette.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        palette.show()
        palette.edit.setFocus()

    def show_compare(self, before: Version, after: Version) -> None:
        """Compare two versions in their tab."""
        if self.compare_tab is None:
            from modelkeep.gui.panels.compare import ComparePanel

            self.compare_tab = ComparePanel(self._session, self.command)
            self.tabs.addTab(self.compare_tab, theme.icon("compare"), "")
            close = tool(translate("Window", "Close comparison"), "close")
            close.clicked.connect(lambda: self._close_tab(1))
            self.tabs.tabBar().setTabButton(1, QTabBar.ButtonPosition.RightSide, close)
        self.compare_tab.show_versions(before, after)
        self.tabs.setTabText(1, wording.menu_text(self.compare_tab.title()))
        self._show_tabs(True)
        self.tabs.setCurrentWidget(self.compare_tab)

    def _show_tabs(self, shown: bool) -> None:
        """Tab must not go to a bar that is hidden: it would stay where it is for ever."""
        self.tabs.tabBar().setVisible(shown)
        self.tabs.setFocusPolicy(Qt.FocusPolicy.TabFocus if shown else Qt.FocusPolicy.NoFocus)

    def _close_tab(self, place: int) -> None:
        if self.compare_tab is not None and place == 1:
            held = self.compare_tab.isAncestorOf(self.focusWidget()) if self.focusWidget() else True
            self.tabs.removeTab(1)
            self.compare_tab.deleteLater()
            self.compare_tab = None
            self._show_tabs(False)
            if held:
                self.versions.view.setFocus()

    def _job_added(self, job: Any) -> None:
        if not job.quiet:
            self.activity.show()

    def _job_ended(self, job: Any) -> None:
        if self._waiting_to_close and not self._session.jobs.active():
            self.close()

    # -- layout ----------------------------------------------------------------------------------------

    def reset_layout(self) -> None:
        """Sizes and columns as they were at first."""
        width = max(self.width(), 1024)
        self.panes.setSizes([round(width * 0.34), round(width * 0.66)])
        self.center.setSizes([round(width * 0.42), round(width * 0.24)])
        self.details.splitter.setSizes([320, 400])
        self.upper.setSizes([self.height() - theme.GRID * 17, theme.GRID * 17])
        self.activity.hide()
        for view in self.findChildren(TreeTable):
            view.reset_columns()

    def _restore_layout(self) -> None:
        kept = self._session.remembered.get(_LAYOUT)
        if not isinstance(kept, dict) or not self._restore(kept):
            self.resize(QSize(1280, 800).boundedTo(self.screen().availableSize() - QSize(0, _TITLE)))
            self.reset_layout()

    def _restore(self, kept: dict[str, Any]) -> bool:
        geometry = kept.get("geometry")
        if not isinstance(geometry, str) or not self.restoreGeometry(_bytes(geometry)):
            return False
        for name, splitter in self._splitters().items():
            state = kept.get(name)
            if isinstance(state, str):
                splitter.restoreState(_bytes(state))
        return True

    def _save_layout(self) -> None:
        kept = {"geometry": _text(self.saveGeometry())}
        kept |= {name: _text(splitter.saveState()) for name, splitter in self._splitters().items()}
        memory = self._session.remembered
        memory.put(_LAYOUT, kept)
        for view in self.findChildren(TreeTable):
            view.save_columns()
        try:
            memory.save()
        except ModelkeepError:
            return  # a window that cannot remember its place closes all the same

    def _splitters(self) -> dict[str, QSplitter]:
        return {
            "center": self.center,
            "panes": self.panes,
            "upper": self.upper,
            "details": self.details.splitter,
        }

    # -- events ----------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow() and self._session.watcher:
            self._session.watcher.look_now()

    def closeEvent(self, event: QCloseEvent) -> None:
        working = self._session.jobs.active()
        if working and not self._ask_to_close(len(working)):
            event.ignore()
            return
        self._save_layout()
        self._session.jobs.cancel_all()
        self.closing.emit()
        self._session.close()
        super().closeEvent(event)

    def _ask_to_close(self, count: int) -> bool:
        """Whether to close now. "wait" closes as soon as the last job is done."""
        from modelkeep.gui.dialogs.closing import ClosingDialog

        dialog = ClosingDialog(count, self)
        dialog.exec()
        dialog.deleteLater()
        self._waiting_to_close = dialog.answer == "wait"
        if self._waiting_to_close:
            self._session.told.emit(translate("Window", "The window closes when the work is done."))
        return dialog.answer == "cancel" or not self._session.jobs.active()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        paths, project = _dropped(event), self._session.project
        if project is not None and paths:
            name = wording.line(project.name)
            self.drop_cue.show_text("add", translate("Window", "Drop to add to {name}").format(name=name))
            event.acceptProposedAction()
        elif len(paths) == 1 and paths[0].is_dir():
            self.drop_cue.show_text("open", translate("Window", "Drop to open this project"))
            event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.drop_cue.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.drop_cue.hide()
        paths = _dropped(event)
        event.acceptProposedAction()
        if self._session.project is not None:
            commands.add(self._session, self, tuple(str(path) for path in paths))
        else:
            self._session.open(paths[0])


def _dropped(event: QDropEvent) -> list[Path]:
    urls = event.mimeData().urls()
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]


def _text(state: QByteArray) -> str:
    return bytes(state.toBase64().data()).decode()


def _bytes(text: str) -> QByteArray:
    return QByteArray.fromBase64(text.encode())
