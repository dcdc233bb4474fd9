"""The command palette: type a few letters, press Enter. Finds commands, versions and outputs; changes nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QDialog, QLineEdit, QWidget

from modelkeep.core.nouns import dataclass
from modelkeep.gui import signs, theme, wording
from modelkeep.gui.actions import ActionSet
from modelkeep.gui.models import Column, Placeholder, RowsModel
from modelkeep.gui.session import Session, pick_of
from modelkeep.gui.views import TreeTable
from modelkeep.gui.widgets import Hairline, column
from modelkeep.gui.wording import translate

_MANY = 60
_DAILY = ("publish", "add", "push", "pull", "compare", "restore", "refresh")


@dataclass(frozen=True)
class Choice:
    """One thing the palette can do; `reason` says why it cannot just now."""

    title: str
    aside: str
    icon: str
    run: Callable[[], object]
    keys: str = ""
    reason: str = ""


def score(text: str, wanted: str) -> int | None:
    """How well `text` answers `wanted`: lower is better, None is not at all. Letters count in their order."""
    text, wanted = text.casefold(), wanted.casefold().strip()
    found = text.find(wanted)
    if found >= 0:
        return found if found and text[found - 1] != " " else 0
    place, cost = -1, 100
    for letter in wanted.replace(" ", ""):
        following = text.find(letter, place + 1)
        if following < 0:
            return None
        cost += following - place - 1
        place = following
    return cost


class CommandPalette(QDialog):
    """Shown above the window; closes when something is chosen or the window is clicked."""

    def __init__(self, session: Session, actions: ActionSet, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self._session, self._actions = session, actions
        self._choices = (*self._commands(), *self._versions(), *self._outputs())
        self.edit = QLineEdit()
        self.edit.setPlaceholderText(translate("Palette", "Command, version or output"))
        self.edit.setAccessibleName(self.edit.placeholderText())
        self.edit.addAction(theme.icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        self.edit.setFrame(False)
        self.edit.textChanged.connect(self._find)
        self.edit.installEventFilter(self)
        self.model = RowsModel(_columns())
        title = translate("Palette", "Command palette")
        self.view = TreeTable(self.model, "palette", title, lambda choice: str(choice.title))
        self.view.header().hide()
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.clicked.connect(lambda _: self._run())
        self.setWindowTitle(title)
        self.setObjectName("palette")
        layout = column(self.edit, Hairline(), self.view, spacing=theme.HALF)
        layout.setContentsMargins(theme.GRID, theme.GRID, theme.GRID, theme.GRID)
        self.setLayout(layout)
        self._place(parent)
        self._find("")

    def _place(self, window: QWidget) -> None:
        width = min(theme.GRID * 80, window.width() - theme.GRID * 8)
        self.resize(width, min(theme.GRID * 52, window.height() - theme.GRID * 12))
        corner = window.mapToGlobal(window.rect().topLeft())
        self.move(corner.x() + (window.width() - width) // 2, corner.y() + theme.GRID * 7)

    def _commands(self) -> list[Choice]:
        rows = []
        for name in self._actions.names():
            action = self._actions[name]
            keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            reason = self._actions.reason(name) or ""
            icon = self._actions.icon_name(name)
            rows.append(Choice(action.text(), reason, icon, action.trigger, keys, reason))
        daily = {self._actions[name].text() for name in _DAILY}
        return sorted(rows, key=lambda choice: (bool(choice.reason), choice.title not in daily))

    def _versions(self) -> list[Choice]:
        facts = self._session.facts
        if facts is None or facts.versions is None:
            return []
        return [
            Choice(
                signs.version_name(version),
                version.subject,
                signs.version_icon(version),
                partial(self._session.select, version),
            )
            for version in facts.versions.all()
        ]

    def _outputs(self) -> list[Choice]:
        facts = self._session.facts
        snapshot = facts.snapshot(self._session.version) if facts else None
        if snapshot is None:
            return []
        return [
            Choice(
                out.path,
                signs.kind(out).word,
                signs.kind(out).icon,
                partial(self._session.pick, (pick_of(out),)),
            )
            for out in snapshot.outputs
        ]

    def _find(self, text: str) -> None:
        ranked = ((score(choice.title, text), place) for place, choice in enumerate(self._choices))
        best = sorted((cost, place) for cost, place in ranked if cost is not None)
        nothing = Placeholder(translate("Palette", "No command, version or output is called so"), "search")
        self.model.set_rows([self._choices[place] for _, place in best[:_MANY]] or [nothing])
        if best:
            self.view.setCurrentIndex(self.model.index(0, 0))

    def _run(self) -> None:
        chosen = self.view.values()
        if chosen and not chosen[0].reason:
            self.accept()
            chosen[0].run()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.edit and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp):
                self.view.keyPressEvent(event)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run()
                return True
        return super().eventFilter(watched, event)


def _columns() -> tuple[Column, ...]:
    return (
        Column(
            "title",
            translate("Palette", "Command"),
            lambda choice: choice.title,
            tip=lambda choice: wording.lines(choice.aside or choice.title),
            icon=lambda choice: (choice.icon, "muted" if choice.reason else "icon"),
            colour=lambda choice: "muted" if choice.reason else None,
            aside=lambda choice: choice.aside,
        ),
        Column(
            "keys",
            translate("Palette", "Shortcut"),
            lambda choice: choice.keys,
            colour=lambda choice: "muted",
            right=True,
            width=112,
        ),
    )
