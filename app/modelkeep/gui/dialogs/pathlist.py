"""A scrollable list of paths, shortened in the middle, with the whole path as its tooltip. Shows, never reads."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QSize, QStringListModel, Qt
from PySide6.QtGui import QHelpEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QListView,
    QSizePolicy,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QWidget,
)

from modelkeep.gui import theme
from modelkeep.gui.wording import line, tip

_LINES = 6
_ROW = 3 * theme.GRID


class Tall(QStyledItemDelegate):
    """Rows as high as everywhere in the dialogs."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(super().sizeHint(option, index).width(), _ROW)


class PathList(QListView):
    """Paths as they are, one per row; up to six rows high, then it scrolls. Ctrl+C copies the marked ones."""

    def __init__(self, paths: Sequence[str], name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = QStringListModel(self)
        self.setModel(self._model)
        self.setAccessibleName(name)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setTabKeyNavigation(False)
        self.setItemDelegate(Tall(self))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.show_paths(paths)

    def show_paths(self, paths: Sequence[str]) -> None:
        """Show other paths."""
        self._model.setStringList([line(path) for path in paths])
        self.updateGeometry()

    def paths(self) -> list[str]:
        """What is shown, in order."""
        return self._model.stringList()

    def sizeHint(self) -> QSize:
        return QSize(40 * theme.GRID, max(1, min(_LINES, self._model.rowCount())) * _ROW)

    def minimumSizeHint(self) -> QSize:
        return QSize(20 * theme.GRID, max(1, min(2, self._model.rowCount())) * _ROW)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            marked = sorted(self.selectedIndexes(), key=lambda index: index.row())
            QApplication.clipboard().setText("\n".join(str(index.data()) for index in marked))
            return
        super().keyPressEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            index = self.indexAt(event.pos())
            QToolTip.showText(event.globalPos(), tip(str(index.data())) if index.isValid() else "", self)
            return True
        return super().viewportEvent(event)
