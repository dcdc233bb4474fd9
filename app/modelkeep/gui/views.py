"""The one tree view: rows, and columns that are remembered.

Knows models and the theme, nothing of versions or outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from PySide6.QtCore import (
    QByteArray,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QAction, QCursor, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
)

from modelkeep.gui import theme
from modelkeep.gui.columns import Column
from modelkeep.gui.courtesy import going_first
from modelkeep.gui.models import ASIDE, ROW, Placeholder, RowsModel, TreeModel
from modelkeep.gui.widgets import paint_icon
from modelkeep.gui.wording import translate

Flags = QItemSelectionModel.SelectionFlag
Index = QModelIndex | QPersistentModelIndex
_TOP = QModelIndex()
_SELDOM = 3  # columns that give way this early


class Memory(Protocol):
    """What widths and places are kept in."""

    def get(self, key: str, default: Any = None) -> Any:
        """What was put."""

    def put(self, key: str, value: Any) -> None:
        """Keep a JSON value."""


class RowDelegate(QStyledItemDelegate):
    """Rows of one height, with a muted text after the main one where the column has it."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(super().sizeHint(option, index).width() + theme.GRID, theme.ROW)

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        super().initStyleOption(option, index)
        flags = QStyle.StateFlag
        if option.state & flags.State_Selected:
            option.state &= ~flags.State_MouseOver
        option.state &= ~(flags.State_HasFocus | flags.State_Selected)  # the row paints that itself, flat

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        aside = index.data(ASIDE)
        if not aside:
            return
        full = QStyleOptionViewItem(option)
        self.initStyleOption(full, index)
        style = full.widget.style() if full.widget else QApplication.style()
        box = style.subElementRect(QStyle.SubElement.SE_ItemViewItemText, full, full.widget)
        used = full.fontMetrics.horizontalAdvance(full.text) + theme.GRID + theme.HALF
        room = QRect(box.left() + used, box.top(), box.right() - box.left() - used, box.height())
        painter.save()
        painter.setFont(theme.font("small"))
        if room.width() < min(2 * theme.GRID, painter.fontMetrics().horizontalAdvance(aside)):
            painter.restore()
            return
        painter.setPen(theme.colour("muted"))
        text = painter.fontMetrics().elidedText(aside, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)
        painter.restore()


def _spare(column: Column) -> float:
    """The room that must be left beside the first column's width for this one to be shown: names come before
    what is seldom looked at."""
    if not column.drop:
        return -math.inf
    return theme.GRID * 8 if column.drop >= _SELDOM else 0


class TreeTable(QTreeView):
    """A tree or list of rows over one of our models. `name` is what its columns are remembered by."""

    chosen = Signal(list)  # values of the selected rows, the current one first
    opened = Signal(object)  # the value that was double-clicked or entered: shown, never changed
    menu_wanted = Signal(object, QPoint)  # value or None, place on the screen

    def __init__(
        self,
        model: TreeModel | RowsModel,
        name: str,
        title: str,
        key: Callable[[Any], str],
        memory: Memory | None = None,
        *,
        several: bool = False,
    ) -> None:
        super().__init__()
        self._columns, self._name, self._key, self._memory = model.columns, name, key, memory
        self._quiet = False
        self._wanted = {place for place, one in enumerate(self._columns) if not one.hidden}
        self.setModel(model)
        self.setItemDelegate(RowDelegate(self))
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setAccessibleName(title)
        self.setUniformRowHeights(True)
        self.setIconSize(theme.ICON)
        self.setRootIsDecorated(isinstance(model, TreeModel))
        self.setIndentation(theme.GRID * 2)
        self.setAllColumnsShowFocus(False)
        self.setExpandsOnDoubleClick(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        modes = QAbstractItemView.SelectionMode
        self.setSelectionMode(modes.ExtendedSelection if several else modes.SingleSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._ask_menu)
        self.selectionModel().selectionChanged.connect(self._tell)
        self.activated.connect(lambda index: self.opened.emit(index.data(ROW)))
        theme.notifier().changed.connect(self.viewport().update)
        model.modelReset.connect(self._span_remarks)
        model.rowsInserted.connect(self._span_remarks)
        self._set_up_header()

    # -- columns ---------------------------------------------------------------------------------------

    def _set_up_header(self) -> None:
        header = self.header()
        header.setSectionsMovable(True)
        header.setFirstSectionMovable(False)
        header.setStretchLastSection(False)
        header.setHighlightSections(False)
        header.setMinimumSectionSize(theme.GRID * 5)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._header_menu)
        self.reset_columns()
        kept = self._memory.get(f"columns/{self._name}/{len(self._columns)}") if self._memory else None
        if isinstance(kept, dict):
            header.restoreState(QByteArray.fromBase64(str(kept.get("state", "")).encode()))
            self._wanted = {
                place for place, one in enumerate(self._columns) if one.name in kept.get("wanted", ())
            }
            self._wanted.add(0)
        self._make_room()

    def reset_columns(self) -> None:
        """Widths, order and visibility as they were at first; the first column takes the room left."""
        header = self.header()
        for section, one in enumerate(self._columns):
            header.moveSection(header.visualIndex(section), section)
            mode = QHeaderView.ResizeMode.Interactive if section else QHeaderView.ResizeMode.Stretch
            header.setSectionResizeMode(section, mode)
            header.resizeSection(section, one.width)
        self._wanted = {place for place, one in enumerate(self._columns) if not one.hidden}
        self._make_room()

    def _make_room(self) -> None:
        """Hide the columns that can be done without until the first one has its width."""
        shown = sorted(self._wanted, key=lambda place: self._columns[place].drop)
        room = self.viewport().width() - self._columns[0].width
        for place in shown[1:] if shown and shown[0] == 0 else [place for place in shown if place]:
            room -= self.header().sectionSize(place) or self._columns[place].width
            if room < _spare(self._columns[place]):
                shown = [one for one in shown if one != place]
        for place in range(1, len(self._columns)):
            if self.isColumnHidden(place) != (place not in shown):
                self.setColumnHidden(place, place not in shown)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._make_room()

    def save_columns(self) -> None:
        """Put the columns into the memory."""
        if self._memory is not None:
            state = bytes(self.header().saveState().toBase64().data()).decode()
            wanted = [self._columns[place].name for place in sorted(self._wanted)]
            self._memory.put(f"columns/{self._name}/{len(self._columns)}", {"state": state, "wanted": wanted})

    def _header_menu(self, spot: QPoint) -> None:
        menu = QMenu(self)
        for section, one in enumerate(self._columns[1:], 1):
            action = QAction(one.title, menu, checkable=True, checked=section in self._wanted)
            action.toggled.connect(partial(self._want, section))
            menu.addAction(action)
        menu.addSeparator()
        menu.addAction(translate("TreeTable", "Reset columns"), self.reset_columns)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.header().mapToGlobal(spot))

    def _want(self, section: int, on: bool) -> None:
        if on:
            self._wanted.add(section)
        else:
            self._wanted.discard(section)
        self._make_room()

    def paintEvent(self, event: QPaintEvent) -> None:
        with going_first():
            super().paintEvent(event)

    def drawRow(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        if self.selectionModel().isSelected(index):
            painter.fillRect(option.rect, theme.colour("selection"))
        elif self._is_under_mouse(option.rect) and not isinstance(index.data(ROW), Placeholder):
            painter.fillRect(option.rect, theme.colour("hover"))
        super().drawRow(painter, option, index)
        if index.row() == self.currentIndex().row() and index.parent() == self.currentIndex().parent():
            self._draw_focus(painter, option.rect)

    def _span_remarks(self, parent: Index = _TOP, *_: object) -> None:
        """What is said instead of rows has all columns for it."""
        for place in reversed(range(self.model().rowCount(parent))):
            if not isinstance(self.model().index(place, 0, parent).data(ROW), Placeholder):
                return  # remarks come last, and there may be thousands of rows before them
            self.setFirstColumnSpanned(place, parent, True)

    def _is_under_mouse(self, box: QRect) -> bool:
        """The style sheet's own hover would paint over a selected row."""
        spot = self.viewport().mapFromGlobal(QCursor.pos())
        return self.viewport().underMouse() and box.top() <= spot.y() <= box.bottom()

    def _draw_focus(self, painter: QPainter, box: QRect) -> None:
        """A bar at the edge of the current row, so that the keyboard's place is seen without colour."""
        if self.hasFocus():
            painter.fillRect(QRect(0, box.top(), 2, box.height()), theme.colour("accent"))

    def drawBranches(self, painter: QPainter, box: QRect, index: Index) -> None:
        """The style sheet takes away Fusion's arrows, so that both themes have ours."""
        model = self.model()
        if isinstance(model, TreeModel) and model.hasChildren(index):
            arrow = theme.icon("collapse" if self.isExpanded(index) else "current", "muted")
            spot = QRect(box.right() - self.indentation() + 3, box.top(), 12, box.height())
            paint_icon(painter, arrow, spot, 12)

    def selectionCommand(self, index: Index, event: QEvent | None = None) -> Flags:
        """A heading can be walked over and opened, but leaves chosen what is chosen."""
        if index.isValid() and not index.flags() & Qt.ItemFlag.ItemIsSelectable:
            return Flags.NoUpdate
        return super().selectionCommand(index, event)

    # -- rows ------------------------------------------------------------------------------------------

    def values(self) -> list[Any]:
        """The values of the selected rows, the current one first."""
        rows = [index.data(ROW) for index in self.selectionModel().selectedRows()]
        current = self.currentIndex().data(ROW)
        return sorted(rows, key=lambda value: value is not current)

    def choose(self, key: str, *, tell: bool = False) -> bool:
        """Select the row with this key if it has been opened."""
        for index in self._all():
            if self._key(index.data(ROW)) == key:
                self._quiet = not tell
                self.setCurrentIndex(index)
                self._quiet = False
                return True
        return False

    def unchoose(self) -> None:
        """Select nothing, without a signal."""
        self._quiet = True
        self.clearSelection()
        self._quiet = False

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Around a reset of the model: what is open, selected and in sight stays so, without a signal."""
        opened = {self._key(i.data(ROW)) for i in self._all() if self.isExpanded(i)}
        closed = {self._key(i.data(ROW)) for i in self._all() if not self.isExpanded(i)}
        chosen = {self._key(value) for value in self.values()}
        current = self._key(self.currentIndex().data(ROW)) if self.currentIndex().isValid() else ""
        place = self.verticalScrollBar().value()
        self._quiet = True
        yield
        self._reopen(QModelIndex(), opened, closed)
        self._reselect(chosen, current)
        self._quiet = False
        self.verticalScrollBar().setValue(place)

    def _reopen(self, parent: QModelIndex, opened: set[str], closed: set[str]) -> None:
        model = self.model()
        for place in range(model.rowCount(parent)):
            index = model.index(place, 0, parent)
            value = index.data(ROW)
            key = self._key(value)
            if key in opened or (key not in closed and getattr(value, "starts_open", False)):
                model.fetchMore(index)
                self.expand(index)
                self._reopen(index, opened, closed)

    def _reselect(self, chosen: set[str], current: str) -> None:
        selection = self.selectionModel()
        flags = selection.SelectionFlag
        for index in self._all():
            key = self._key(index.data(ROW))
            if key == current:
                selection.setCurrentIndex(index, flags.NoUpdate)
            if key in chosen:
                selection.select(index, flags.Select | flags.Rows)

    def _all(self) -> list[QModelIndex]:
        model = self.model()
        if isinstance(model, TreeModel):
            return [i for i in model.walk() if not isinstance(i.data(ROW), Placeholder)]
        return [model.index(place, 0) for place in range(model.rowCount())]

    def _tell(self, *_: object) -> None:
        if not self._quiet:
            self.chosen.emit(self.values())

    def _ask_menu(self, spot: QPoint) -> None:
        index = self.indexAt(spot)
        self.menu_wanted.emit(index.data(ROW) if index.isValid() else None, self.viewport().mapToGlobal(spot))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Menu or (
            event.key() == Qt.Key.Key_F10 and event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        ):
            self._ask_menu(self.visualRect(self.currentIndex()).center())
            return
        super().keyPressEvent(event)
