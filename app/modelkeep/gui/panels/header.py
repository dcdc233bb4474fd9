"""The top of the window: which project and branch, and the few commands used every day."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QMenu, QToolButton

from modelkeep.gui import theme, wording
from modelkeep.gui.actions import ActionSet
from modelkeep.gui.session import Session
from modelkeep.gui.widgets import Badge, action_button, row
from modelkeep.gui.wording import translate


class HeaderPanel(QFrame):
    """One row of 48 pixels."""

    def __init__(self, session: Session, actions: ActionSet) -> None:
        super().__init__()
        self.setObjectName("header")
        self.setFixedHeight(theme.GRID * 6)
        self._session, self._actions = session, actions
        self.project = self._project_button()
        self.branch = Badge()
        self.branch.setMaximumWidth(theme.GRID * 30)
        self.distance = Badge()
        self.search = self._search_button()
        self.buttons = [action_button(actions[name]) for name in ("pull", "push", "compare")]
        self.publish = action_button(actions["publish"], look="accent")
        self.menu = self._menu_button()
        line = row(
            self.project,
            theme.HALF,
            self.branch,
            self.distance,
            None,
            self.search,
            None,
            *self.buttons,
            theme.HALF,
            self.publish,
            self.menu,
            spacing=theme.HALF,
        )
        line.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
        self.setLayout(line)
        session.opening.connect(self._opening)
        session.opened.connect(self._opened)
        session.closed.connect(self._show)
        self._show()

    def _project_button(self) -> QToolButton:
        result = QToolButton()
        result.setIcon(theme.icon("project", "accent"))
        result.setIconSize(theme.ICON * 1.25)
        result.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        result.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        result.setFont(theme.font(bold=True))
        result.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        result.setMaximumWidth(theme.GRID * 32)
        menu = QMenu(result)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(lambda: self._fill(menu))
        result.setMenu(menu)
        return result

    def _fill(self, menu: QMenu) -> None:
        menu.clear()
        menu.addActions([self._actions[name] for name in ("open", "clone", "new", "demo")])
        here = self._session.project.root if self._session.project else None
        recent = [folder for folder in self._session.remembered.recent if folder != here]
        if recent:
            menu.addSeparator()
        for folder in recent[:9]:
            self._add_recent(menu, folder)
        menu.addSeparator()
        menu.addAction(self._actions["setup-storage"])
        menu.addSeparator()
        menu.addAction(self._actions["close-project"])

    def _add_recent(self, menu: QMenu, folder: Path) -> None:
        text = translate("Header", "{name}    {parent}").format(
            name=wording.menu_text(folder.name), parent=wording.menu_text(str(folder.parent))
        )
        action = menu.addAction(theme.icon("history"), text)
        action.setToolTip(wording.tip(str(folder)))
        action.triggered.connect(lambda: self._session.open(folder))

    def _search_button(self) -> QToolButton:
        result = action_button(self._actions["palette"])
        result.setIcon(theme.icon("search", "muted"))
        result.setAccessibleName(translate("Header", "Search commands, versions and outputs"))
        result.setProperty("look", "search")
        return result

    def resizeEvent(self, event: QResizeEvent) -> None:
        """In a narrow window the search is its icon, so that the commands keep their words."""
        super().resizeEvent(event)
        wide = event.size().width() >= theme.GRID * 120
        self.search.setText(translate("Header", "Search  (Ctrl+K)") if wide else "")
        self.search.setMinimumWidth(theme.GRID * 20 if wide else 0)

    def _menu_button(self) -> QToolButton:
        result = QToolButton()
        result.setIcon(theme.icon("menu"))
        result.setAccessibleName(translate("Header", "Menu"))
        result.setToolTip(wording.tip(translate("Header", "More commands")))
        result.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        result.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        result.setMenu(self._actions.menu("main", result))
        return result

    def _opened(self) -> None:
        facts = self._session.facts
        assert facts is not None
        facts.status_changed.connect(self._show)
        self._show()

    def _opening(self, folder: str) -> None:
        if self._session.project is None:
            self.project.setText(wording.menu_text(Path(folder).name) + "  ▾")

    def _show(self) -> None:
        project, facts = self._session.project, self._session.facts
        name = project.name if project else translate("Header", "No project")
        self.project.setText(wording.menu_text(name) + "  ▾")
        self.project.setToolTip(wording.tip(str(project.root) if project else name))
        self.project.setAccessibleName(translate("Header", "Project {name}").format(name=wording.line(name)))
        for part in (self.search, *self.buttons, self.publish):
            part.setVisible(project is not None)
        status = facts.status if facts else None
        self.branch.setVisible(status is not None and bool(status.branch or status.commit))
        self.distance.setVisible(False)
        if status is None:
            return
        if status.branch:
            tip = status.upstream or translate("Header", "No upstream branch")
            self.branch.set("branch", wording.line(status.branch), "muted", tip)
        else:
            tip = translate("Header", "Not on a branch: new versions cannot be published from here")
            self.branch.set("commit", status.commit[:8], "warn", tip)
        self._show_distance(status.ahead, status.behind, status.upstream)

    def _show_distance(self, ahead: int, behind: int, upstream: str | None) -> None:
        if upstream is None or not (ahead or behind):
            return
        words = []
        if ahead:
            words.append(translate("Header", "{n} ahead").format(n=wording.number(ahead)))
        if behind:
            words.append(translate("Header", "{n} behind").format(n=wording.number(behind)))
        tip = translate("Header", "Commits against {upstream}").format(upstream=upstream)
        self.distance.set(
            "behind" if behind else "ahead", ", ".join(words), "warn" if behind else "muted", tip
        )
        self.distance.setVisible(True)
