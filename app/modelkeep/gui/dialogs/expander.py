"""A line with a count that opens to the list of files it counts."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolButton, QVBoxLayout, QWidget

from modelkeep.gui import theme
from modelkeep.gui.dialogs.pathlist import PathList
from modelkeep.gui.widgets import IconLabel, row
from modelkeep.gui.wording import menu_text, translate

_MOST = 5_000


class Expander(QWidget):
    """Closed at first. Of very many files the first few thousand are listed, and the rest is counted."""

    def __init__(self, text: str, paths: Sequence[str], meaning: str, role: str = "icon") -> None:
        super().__init__()
        self._paths = paths
        self._list: PathList | None = None
        self.head = QToolButton()
        self.head.setText(menu_text(text))
        self.head.setIcon(theme.icon("current"))
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setCheckable(True)
        self.head.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.head.setAccessibleName(text)
        self.head.setAccessibleDescription(translate("Expander", "Press to list the files"))
        self.head.toggled.connect(self._toggle)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(row(IconLabel(meaning, role=role), self.head, None, spacing=theme.HALF))
        self.setAccessibleName(text)

    def _toggle(self, opened: bool) -> None:
        if self._list is None:
            self._list = PathList(self._listed(), self.head.accessibleName())
            layout = self.layout()
            assert layout is not None
            layout.addWidget(self._list)
        self._list.setVisible(opened)
        self.head.setIcon(theme.icon("collapse" if opened else "current"))

    def _listed(self) -> list[str]:
        more = len(self._paths) - _MOST
        rest = [translate("Expander", "… and {n} more").format(n=more)] if more > 0 else []
        return [*self._paths[:_MOST], *rest]
