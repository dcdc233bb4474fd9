"""The only two Qt item models: frozen values in rows, described by columns. They never fetch anything.

Loading and failure are rows too. The models know nothing of what the values are; panels say it with columns.
Sorting and filtering are done here, so that no proxy stands between a row and its value. A tree asks for the children of a value only when somebody looks, and keeps no object per leaf, so that a
folder of a hundred thousand files opens at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)

from modelkeep.core.nouns import replace
from modelkeep.gui.columns import (
    ASIDE,
    ROW,
    SORT,
    Column,
    Order,
    Placeholder,
    cell,
    failure,
    flags_of,
    heading,
    loading,
)

Index = QModelIndex | QPersistentModelIndex
_ROLE = Qt.ItemDataRole
__all__ = [
    "ASIDE",
    "ROW",
    "SORT",
    "Column",
    "Placeholder",
    "RowsModel",
    "TreeModel",
    "failure",
    "loading",
]


class RowsModel(QAbstractTableModel):
    """A flat list of values, of which at most `most` are shown at once."""

    def __init__(
        self,
        columns: Sequence[Column],
        rows: Iterable[Any] = (),
        parent: QObject | None = None,
        *,
        most: int = Order.limit,
    ) -> None:
        super().__init__(parent)
        self.columns = tuple(columns)
        self._order = Order(limit=most)
        self._given = self._rows = tuple(rows)

    @property
    def rows(self) -> tuple[Any, ...]:
        """The values, as they are sorted."""
        return self._rows

    def set_rows(self, rows: Iterable[Any]) -> None:
        """Show other values."""
        self.beginResetModel()
        self._given = tuple(rows)
        self._rows = self._order.arrange(self._given, self.columns, lambda value: None)
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._order = replace(self._order, column=column, down=order is Qt.SortOrder.DescendingOrder)
        self.set_rows(self._given)

    def set_filter(self, text: str) -> None:
        """Keep only rows whose first column contains `text`; "" keeps all."""
        self._order = replace(self._order, text=text.strip().casefold())
        self.set_rows(self._given)

    def touch(self) -> None:
        """Tell the views that what the columns say about the same values is different now."""
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(self.columns) - 1))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: Index, role: int = _ROLE.DisplayRole) -> Any:
        if not index.isValid():
            return None
        return cell(self.columns, index.column(), self._rows[index.row()], int(role))

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole) -> Any:
        return heading(self.columns, section, orientation, role)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return flags_of(self._rows[index.row()]) if index.isValid() else Qt.ItemFlag.NoItemFlags


Children = Callable[[Any], "Sequence[Any] | None"]


class _Branch:
    """The children of one row that somebody opened (or the top rows): as given, and as sorted."""

    __slots__ = ("given", "kids", "number", "parent", "row", "values")

    def __init__(self, number: int, parent: _Branch | None, row: int, values: tuple[Any, ...]) -> None:
        self.number, self.parent, self.row, self.values = number, parent, row, values
        self.given = values
        self.kids: dict[int, _Branch] = {}


class TreeModel(QAbstractItemModel):
    """Values with children.

    `children(value)` gives None for a leaf, else the values beneath it; it is asked once, when the row is
    opened, and must not block: it may give `(loading(),)`, and `set_children` brings the rest later.
    An index carries the number of its branch, never an object, so nothing can dangle.
    """

    def __init__(self, columns: Sequence[Column], children: Children, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.columns = tuple(columns)
        self._children = children
        self._branches: dict[int, _Branch] = {}
        self._next = 0
        self._order = Order()
        self._root = self._grow(None, 0, ())

    def set_roots(self, values: Iterable[Any]) -> None:
        """Show another tree."""
        self.beginResetModel()
        self._branches.clear()
        self._root = self._grow(None, 0, tuple(values))
        self._root.values = self._arrange(self._root.given)
        self.endResetModel()

    def set_filter(self, text: str) -> None:
        """Keep only rows that contain `text` in their first column, or have such rows beneath; "" keeps all."""
        self._order = replace(self._order, text=text.strip().casefold())
        self.set_roots(self._root.given)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort every opened branch by `column` in Python, once; -1 is the order values were given in.

        A proxy would ask the model for two cells per comparison, a thousand times slower.
        """
        self._order = replace(self._order, column=column, down=order is Qt.SortOrder.DescendingOrder)
        self.layoutAboutToBeChanged.emit()
        held = [(index, index.internalId(), self.value(index)) for index in self.persistentIndexList()]
        moved = {branch.number: self._rearrange(branch) for branch in self._branches.values()}
        for index, number, value in held:
            row = moved[number].get(id(value))
            target = QModelIndex() if row is None else self.createIndex(row, index.column(), number)
            self.changePersistentIndex(index, target)
        self.layoutChanged.emit()

    def _rearrange(self, branch: _Branch) -> dict[int, int]:
        """Sort one branch; returns the new row of each value by its identity."""
        old = branch.values
        branch.values = self._arrange(branch.given)
        rows = {id(value): row for row, value in enumerate(branch.values)}
        kids, branch.kids = branch.kids, {}
        for was, kid in kids.items():
            row = rows.get(id(old[was]))
            if row is not None:
                kid.row = row
                branch.kids[row] = kid
        return rows

    def _arrange(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return self._order.arrange(values, self.columns, self._children)

    def set_children(self, index: Index, values: Iterable[Any]) -> None:
        """Replace what lies beneath `index`, opened or not."""
        branch = self._of(index)
        if branch.values:
            self.beginRemoveRows(self._plain(index), 0, len(branch.values) - 1)
            self._forget(branch)
            branch.values = branch.given = ()
            self.endRemoveRows()
        self._fill(self._plain(index), branch, tuple(values))

    def touch(self) -> None:
        """Tell the views that what the columns say about the same values is different now."""
        for branch in self._branches.values():
            if branch.values:
                last = self.createIndex(len(branch.values) - 1, len(self.columns) - 1, branch.number)
                self.dataChanged.emit(self.createIndex(0, 0, branch.number), last)

    def walk(self) -> Iterator[QModelIndex]:
        """The first cell of every row that has been opened or shown so far."""
        for branch in tuple(self._branches.values()):
            for row in range(len(branch.values)):
                yield self.createIndex(row, 0, branch.number)

    def value(self, index: Index) -> Any:
        """The value of a row."""
        return self._branches[index.internalId()].values[index.row()]

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008
        branch = self._found(parent)
        if branch is None or not (0 <= row < len(branch.values) and 0 <= column < len(self.columns)):
            return QModelIndex()
        return self.createIndex(row, column, branch.number)

    def parent(self, index: Index = QModelIndex()) -> Any:  # noqa: B008
        branch = self._branches.get(index.internalId()) if index.isValid() else None
        if branch is None or branch.parent is None:
            return QModelIndex()
        return self.createIndex(branch.row, 0, branch.parent.number)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        branch = self._found(parent)
        return len(branch.values) if branch else 0

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return len(self.columns)

    def hasChildren(self, parent: Index = QModelIndex()) -> bool:  # noqa: B008
        branch = self._found(parent)
        if branch is not None:
            return bool(branch.values)
        return parent.column() == 0 and self._may_open(parent)

    def canFetchMore(self, parent: Index) -> bool:
        return (
            parent.isValid()
            and parent.column() == 0
            and self._found(parent) is None
            and self._may_open(parent)
        )

    def fetchMore(self, parent: Index) -> None:
        if self.canFetchMore(parent):
            values = self._children(self.value(parent)) or ()
            self._fill(self._plain(parent), self._of(parent), tuple(values))

    def data(self, index: Index, role: int = _ROLE.DisplayRole) -> Any:
        if not index.isValid():
            return None
        return cell(self.columns, index.column(), self.value(index), int(role))

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole) -> Any:
        return heading(self.columns, section, orientation, role)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return flags_of(self.value(index)) if index.isValid() else Qt.ItemFlag.NoItemFlags

    def _may_open(self, index: Index) -> bool:
        value = self.value(index)
        return not isinstance(value, Placeholder) and self._opens(value)

    def _opens(self, value: Any) -> bool:
        opens = getattr(value, "opens", None)
        return bool(opens) if opens is not None else self._children(value) is not None

    def _found(self, parent: Index) -> _Branch | None:
        if not parent.isValid():
            return self._root
        if parent.column() != 0:
            return None
        above = self._branches.get(parent.internalId())
        return above.kids.get(parent.row()) if above else None

    def _of(self, index: Index) -> _Branch:
        found = self._found(index)
        if found is None:
            above = self._branches[index.internalId()]
            found = above.kids[index.row()] = self._grow(above, index.row(), ())
        return found

    def _grow(self, parent: _Branch | None, row: int, values: tuple[Any, ...]) -> _Branch:
        self._next += 1
        branch = self._branches[self._next] = _Branch(self._next, parent, row, values)
        return branch

    def _fill(self, index: QModelIndex, branch: _Branch, values: tuple[Any, ...]) -> None:
        shown = self._arrange(values)
        if shown:
            self.beginInsertRows(index, 0, len(shown) - 1)
            branch.given, branch.values = values, shown
            self.endInsertRows()

    def _forget(self, branch: _Branch) -> None:
        for kid in branch.kids.values():
            self._forget(kid)
            del self._branches[kid.number]
        branch.kids.clear()

    def _plain(self, index: Index) -> QModelIndex:
        return self.index(index.row(), index.column(), index.parent()) if index.isValid() else QModelIndex()
