"""How values become cells: columns made of functions, placeholder rows, sorting. Knows no Qt model and no panel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont

from modelkeep.core.nouns import dataclass
from modelkeep.gui import theme, wording

_ROLE = Qt.ItemDataRole
#: The value of the row; what it sorts by; the muted text painted after the main one; what a filter searches.
ROW = int(_ROLE.UserRole)
SORT = ROW + 1
ASIDE = ROW + 2
FIND = ROW + 3


@dataclass(frozen=True)
class Column:
    """How one fact of a row is shown. All functions take the row's value.

    A column with a `drop` above 0 gives way where there is little room, the highest first; a `hidden` one is
    shown only if the user wants it. `icon` gives a meaning or (meaning, colour role). `aside` is a muted text after the main one. `sort` must
    give texts or numbers, never a mixture. `find` is what a filter searches. Texts need no escaping: the models do it.
    """

    name: str
    title: str
    text: Callable[[Any], str]
    sort: Callable[[Any], str | int | float] | None = None
    tip: Callable[[Any], str] | None = None
    icon: Callable[[Any], str | tuple[str, str] | None] | None = None
    colour: Callable[[Any], str | None] | None = None
    aside: Callable[[Any], str] | None = None
    bold: Callable[[Any], bool] | None = None
    find: Callable[[Any], str] | None = None
    right: bool = False
    mono: bool = False
    width: int = 96
    hidden: bool = False
    drop: int = 0


@dataclass(frozen=True)
class Placeholder:
    """A row that stands where content will be, or says why there is none."""

    text: str
    icon: str = "busy"
    role: str = "muted"


def loading() -> Placeholder:
    """The row shown while children are being read."""
    return Placeholder(wording.translate("Models", "Loading…"))


def failure(text: str) -> Placeholder:
    """The row shown instead of what could not be read."""
    return Placeholder(text, "warning", "warn")


def cell(columns: Sequence[Column], column: int, value: Any, role: int) -> Any:
    """What a view asks about one cell."""
    if role == ROW:
        return value
    if isinstance(value, Placeholder):
        return _placeholder(value, column, role)
    get = _ANSWERS.get(role)
    return get(columns[column], value) if get else None


def _placeholder(value: Placeholder, column: int, role: int) -> Any:
    if role == SORT:
        return ""
    if column:
        return None
    if role in (_ROLE.DisplayRole, _ROLE.AccessibleTextRole):
        return wording.line(value.text)
    if role == _ROLE.ToolTipRole:
        return wording.tip(value.text)
    if role == _ROLE.DecorationRole:
        return theme.icon(value.icon, value.role)
    return theme.colour(value.role) if role == _ROLE.ForegroundRole else None


def _text(column: Column, value: Any) -> str:
    return wording.line(column.text(value))


def _sort(column: Column, value: Any) -> str | int | float:
    return column.sort(value) if column.sort else column.text(value).casefold()


def _tip(column: Column, value: Any) -> str | None:
    return wording.tip(column.tip(value)) if column.tip else None


def _icon(column: Column, value: Any) -> Any:
    found = column.icon(value) if column.icon else None
    if found is None:
        return None
    return theme.icon(found) if isinstance(found, str) else theme.icon(*found)


def _colour(column: Column, value: Any) -> Any:
    role = column.colour(value) if column.colour else None
    return theme.colour(role) if role else None


def _aside(column: Column, value: Any) -> str | None:
    return wording.line(column.aside(value)) if column.aside else None


def _find(column: Column, value: Any) -> str:
    return column.find(value) if column.find else column.text(value)


def _font(column: Column, value: Any) -> QFont | None:
    if column.mono:
        return theme.mono()
    return theme.font(bold=True) if column.bold and column.bold(value) else None


def _align(column: Column, value: Any) -> int:
    side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)


_ANSWERS: dict[int, Callable[[Column, Any], Any]] = {
    int(_ROLE.DisplayRole): _text,
    int(_ROLE.AccessibleTextRole): _text,
    SORT: _sort,
    ASIDE: _aside,
    FIND: _find,
    int(_ROLE.ToolTipRole): _tip,
    int(_ROLE.DecorationRole): _icon,
    int(_ROLE.ForegroundRole): _colour,
    int(_ROLE.FontRole): _font,
    int(_ROLE.TextAlignmentRole): _align,
}


def heading(columns: Sequence[Column], section: int, orientation: Qt.Orientation, role: int) -> Any:
    """What a view asks about the head of one column."""
    if orientation is not Qt.Orientation.Horizontal or section >= len(columns):
        return None
    if role == _ROLE.DisplayRole:
        return columns[section].title
    if role == _ROLE.TextAlignmentRole:
        return _align(columns[section], None)
    return None


_QUIET = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemNeverHasChildren
_HEADING = Qt.ItemFlag.ItemIsEnabled
_CHOOSABLE = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


def flags_of(value: Any) -> Qt.ItemFlag:
    """A placeholder can be read and a group can be opened; neither can be chosen."""
    if isinstance(value, Placeholder):
        return _QUIET
    return _HEADING if getattr(value, "is_group", False) else _CHOOSABLE


@dataclass(frozen=True)
class Order:
    """Which rows are shown and how they are sorted; column -1 is the order they were given in."""

    column: int = -1
    down: bool = False
    text: str = ""
    limit: int = 1000

    def arrange(
        self, values: tuple[Any, ...], columns: Sequence[Column], children: Callable[[Any], Any]
    ) -> tuple[Any, ...]:
        """`values` filtered, sorted, and cut at the limit with a row that says how many more there are.

        Qt's tree spends a tenth of a millisecond per row before it paints the first one, so a folder of a
        hundred thousand files would stop the window; nobody reads so many rows, people filter.
        """
        if self.text:
            values = tuple(value for value in values if self.keeps(value, columns, children))
        if self.column >= 0 and values and not fixed(values[0]):
            column = columns[self.column]
            values = tuple(sorted(values, key=lambda value: _sort(column, value), reverse=self.down))
        if len(values) > self.limit:
            values = (*values[: self.limit], _more(len(values) - self.limit))
        return values

    def keeps(self, value: Any, columns: Sequence[Column], children: Callable[[Any], Any]) -> bool:
        """Whether `value`, or one beneath it that is known already, contains the text."""
        if isinstance(value, Placeholder) or self.text in _find(columns[0], value).casefold():
            return not isinstance(value, Placeholder)
        beneath = children(value) if getattr(value, "opens", True) else None
        return any(self.keeps(kid, columns, children) for kid in beneath or ())


def fixed(value: Any) -> bool:
    """Whether rows like this one stay in the order they were given: groups and placeholders."""
    return isinstance(value, Placeholder) or getattr(value, "is_group", False)


def _more(count: int) -> Placeholder:
    text = wording.translate("Models", "{n} more; type in the filter to find them")
    return Placeholder(text.format(n=wording.number(count)), "filter")
