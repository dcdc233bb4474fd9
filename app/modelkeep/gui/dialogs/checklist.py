"""A list of paths to choose from: check box, path, and what is the matter with it in sign, word and colour."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHeaderView, QSizePolicy, QTreeWidget, QTreeWidgetItem

from modelkeep.core.nouns import dataclass
from modelkeep.gui import theme
from modelkeep.gui.wording import line, tip

_PATH = int(Qt.ItemDataRole.UserRole)
_LINES = 5


@dataclass(frozen=True)
class Choice:
    """One path. `what` says its state in sign and word, `role` in colour, `facts` is a muted remark."""

    path: str
    what: str = ""
    role: str = "text"
    facts: str = ""
    marked: bool = True


class CheckList(QTreeWidget):
    """Paths with check boxes. `changed` is emitted when a mark changed; Space toggles the current one."""

    changed = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setColumnCount(3)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        self.itemChanged.connect(lambda *_: self.changed.emit())

    def show_choices(self, choices: Sequence[Choice]) -> None:
        """Show other paths."""
        self.blockSignals(True)
        self.clear()
        for choice in choices:
            item = QTreeWidgetItem(self, [line(choice.path), line(choice.what), line(choice.facts)])
            item.setData(0, _PATH, choice.path)
            item.setToolTip(0, tip(choice.path))
            item.setSizeHint(0, QSize(0, theme.ROW))
            item.setCheckState(0, Qt.CheckState.Checked if choice.marked else Qt.CheckState.Unchecked)
            item.setForeground(1, theme.colour(choice.role))
            item.setForeground(2, theme.colour("muted"))
            item.setTextAlignment(2, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if choices:
            first = next((place for place, choice in enumerate(choices) if choice.marked), 0)
            self.setCurrentIndex(self.model().index(first, 0))
        self.blockSignals(False)
        self.updateGeometry()

    def count(self) -> int:
        """How many paths there are."""
        return self.topLevelItemCount()

    def marked(self) -> tuple[str, ...]:
        """The paths whose box is checked."""
        items = [self.topLevelItem(row) for row in range(self.count())]
        return tuple(
            str(item.data(0, _PATH)) for item in items if item and item.checkState(0) == Qt.CheckState.Checked
        )

    def mark(self, path: str, marked: bool) -> None:
        """Check or uncheck one path."""
        for row in range(self.count()):
            item = self.topLevelItem(row)
            if item and item.data(0, _PATH) == path:
                item.setCheckState(0, Qt.CheckState.Checked if marked else Qt.CheckState.Unchecked)

    def sizeHint(self) -> QSize:
        return QSize(40 * theme.GRID, max(1, min(_LINES, self.count())) * theme.ROW)

    def minimumSizeHint(self) -> QSize:
        return QSize(20 * theme.GRID, max(1, min(2, self.count())) * theme.ROW)
