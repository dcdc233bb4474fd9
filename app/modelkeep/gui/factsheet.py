"""A heading with facts beneath it, and a box that shows a picture or text. Knows words, not what they mean."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QGridLayout, QPlainTextEdit, QSizePolicy, QStackedWidget, QWidget

from modelkeep.core.nouns import dataclass
from modelkeep.gui import theme, wording
from modelkeep.gui.preview import Shown
from modelkeep.gui.signs import Sign
from modelkeep.gui.widgets import (
    Badge,
    ElidedLabel,
    EmptyState,
    IconLabel,
    PlainLabel,
    button,
    column,
    row,
    tab_through,
)
from modelkeep.gui.wording import translate

_LINE = theme.GRID * 3 - 2


@dataclass(frozen=True)
class Fact:
    """One line: a name and a value, with the exact value as its tooltip. `copy` makes a click copy that."""

    name: str
    value: str
    tip: str = ""
    copy: str = ""
    sign: Sign | None = None


class FactSheet(QWidget):
    """A title with an icon, a text, and facts in two columns."""

    copied = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._icon = IconLabel("info", size=20)
        self._title = ElidedLabel(bold=True, middle=True)
        self._about = PlainLabel(look="muted", size="small")
        self._text = PlainLabel(wrap=True).selectable()
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(theme.GRID * 2)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(1, 1)
        head = row(self._icon, self._title)
        head.setStretchFactor(self._title, 1)
        layout = column(head, self._about, self._grid, self._text, None)
        layout.setContentsMargins(
            theme.GRID * 2, theme.GRID + theme.HALF, theme.GRID * 2, theme.GRID + theme.HALF
        )
        self.setLayout(layout)

    def show_facts(self, icon: str, title: str, about: str, text: str, facts: Sequence[Fact]) -> None:
        """Show these; empty texts take no room."""
        self._icon.set(icon)
        self._title.setText(title)
        self._about.setText(wording.line(about))
        self._about.setVisible(bool(about))
        self._text.setText(text)
        self._text.setVisible(bool(text))
        self._clear()
        last: QWidget = self
        for place, fact in enumerate(facts):
            name = PlainLabel(fact.name, look="muted")
            name.setMinimumHeight(_LINE)
            value = self._value(fact)
            self._grid.addWidget(name, place, 0, Qt.AlignmentFlag.AlignVCenter)
            self._grid.addWidget(value, place, 1)
            last = tab_through(last, value)
        self.updateGeometry()

    def _value(self, fact: Fact) -> QWidget:
        if fact.sign is not None:
            badge = Badge(size="normal")
            badge.set(fact.sign.icon, fact.sign.word, fact.sign.role, fact.tip)
            box = QWidget()
            box.setLayout(row(badge, None))
            return box
        if fact.copy:
            return self._copy_button(fact)
        label = ElidedLabel(fact.value, middle=True)
        if fact.tip:
            label.setToolTip(wording.tip(fact.tip))
        return label

    def _copy_button(self, fact: Fact) -> QWidget:
        result = button(wording.menu_text(fact.value), "copy", look="copy")
        result.setFont(theme.mono())
        result.setToolTip(
            wording.tip(translate("FactSheet", "{value}\nClick to copy").format(value=fact.copy))
        )
        result.setAccessibleName(translate("FactSheet", "Copy {name}").format(name=fact.name))
        result.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        # No wider than text and icon, so that its text begins where the other values do.
        result.setFixedWidth(result.fontMetrics().horizontalAdvance(fact.value) + theme.ICON.width() - 2)
        result.clicked.connect(lambda: self.copied.emit(fact.copy))
        box = QWidget()
        box.setLayout(row(result, None))
        return box

    def _clear(self) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()


class Picture(QWidget):
    """An image scaled down to the room there is, never up beyond four times."""

    def __init__(self) -> None:
        super().__init__()
        self._pixmap = QPixmap()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)

    def show_image(self, image: QImage | None) -> None:
        """Show `image`, or nothing."""
        self._pixmap = QPixmap.fromImage(image) if image is not None else QPixmap()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._pixmap.isNull():
            return
        room = self.size() - QSize(theme.GRID * 4, theme.GRID * 2)
        natural = self._pixmap.size()
        grow = 4 if max(natural.width(), natural.height()) <= 64 else 1
        size = natural.scaled(room.boundedTo(natural * grow), Qt.AspectRatioMode.KeepAspectRatio)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, grow == 1)
        spot = self.rect()
        spot.setSize(size)
        spot.moveCenter(self.rect().center())
        painter.drawPixmap(spot, self._pixmap)
        painter.end()


class PreviewBox(QWidget):
    """A picture, a text, or one sentence why there is neither."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = Picture()
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setProperty("look", "preview")
        self._text.setFont(theme.mono())
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.document().setDocumentMargin(theme.GRID)
        self._text.setTabChangesFocus(True)
        self._text.setAccessibleName(translate("Preview", "Preview"))
        self._none = EmptyState("image", "")
        self._caption = PlainLabel(look="muted", size="small")
        self._caption.setContentsMargins(theme.GRID * 2, theme.HALF, theme.GRID * 2, theme.HALF)
        self._stack = QStackedWidget()
        for part in (self._none, self._picture, self._text):
            self._stack.addWidget(part)
        layout = column(self._stack, self._caption, spacing=0)
        layout.setStretch(0, 1)
        self.setLayout(layout)

    def show_reason(self, icon: str, text: str) -> None:
        """Say why nothing is shown."""
        self._none.show_text(icon, text)
        self._caption.hide()
        self._stack.setCurrentWidget(self._none)

    def show_content(self, shown: Shown) -> None:
        """Show what a worker made of the bytes."""
        if shown.reason:
            self.show_reason("image", shown.reason)
            return
        self._caption.setText(shown.caption)
        self._caption.setVisible(bool(shown.caption))
        if shown.image is not None:
            self._picture.show_image(shown.image)
            self._picture.setAccessibleName(shown.caption)
            self._stack.setCurrentWidget(self._picture)
        else:
            self._text.setPlainText(shown.text)
            self._stack.setCurrentWidget(self._text)
