"""Small widgets every panel and dialog is made of. They show plain text only and know nothing of projects."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMargins, QRect, QSize, Qt, Signal
from PySide6.QtGui import QAction, QIcon, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from modelkeep.gui import theme, wording

ALIGN_CENTER = Qt.AlignmentFlag.AlignCenter


class PlainLabel(QLabel):
    """A label that never takes its text for markup. `look` is one of the style sheet's: muted, good, warn, bad."""

    def __init__(
        self,
        text: str = "",
        *,
        look: str = "",
        size: str = "normal",
        bold: bool = False,
        wrap: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setOpenExternalLinks(False)
        self.setFont(theme.font(size, bold=bold))
        self.setWordWrap(wrap)
        if look:
            self.setProperty("look", look)
        self.setText(text)

    def setText(self, text: str) -> None:
        super().setText(wording.lines(text))

    def set_look(self, look: str) -> None:
        """Change the colour's purpose."""
        self.setProperty("look", look)
        self.style().unpolish(self)
        self.style().polish(self)

    def selectable(self) -> PlainLabel:
        """Let the text be marked and copied with mouse and keyboard; returns itself."""
        flags = Qt.TextInteractionFlag
        self.setTextInteractionFlags(flags.TextSelectableByMouse | flags.TextSelectableByKeyboard)
        return self


class ElidedLabel(PlainLabel):
    """A one-line label that shortens its text to the room it has; the tooltip has all of it. `middle` is for
    names and paths, whose end tells most."""

    def __init__(
        self,
        text: str = "",
        *,
        look: str = "",
        size: str = "normal",
        bold: bool = False,
        middle: bool = False,
    ) -> None:
        self._full = ""
        self._mode = Qt.TextElideMode.ElideMiddle if middle else Qt.TextElideMode.ElideRight
        super().__init__("", look=look, size=size, bold=bold)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setText(text)

    def setText(self, text: str) -> None:
        self._full = wording.line(text)
        self.setAccessibleName(self._full)
        self._elide()
        self.updateGeometry()  # what is shown may stay the same while the room it wants does not

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self._full) + 4, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(min(self.sizeHint().width(), theme.GRID * 3), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        shown = self.fontMetrics().elidedText(self._full, self._mode, max(0, self.width()))
        QLabel.setText(self, shown)
        self.setToolTip(wording.tip(self._full) if shown != self._full else "")


class IconLabel(QWidget):
    """One icon by meaning; follows the theme. `text` names it for screen readers."""

    def __init__(self, meaning: str, text: str = "", *, role: str = "icon", size: int = 16) -> None:
        super().__init__()
        self._icon = theme.icon(meaning, role)
        self._size = size
        self.setFixedSize(size, size)
        self.setAccessibleName(text)

    def set(self, meaning: str, role: str = "icon", text: str = "") -> None:
        """Show another icon."""
        self._icon = theme.icon(meaning, role)
        self.setAccessibleName(text)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._icon.paint(painter, self.rect())
        painter.end()


class Hairline(QFrame):
    """One pixel between things that belong apart."""

    def __init__(self, *, vertical: bool = False) -> None:
        super().__init__()
        self.setObjectName("hairline")
        self.setFixedWidth(1) if vertical else self.setFixedHeight(1)


def button(text: str, meaning: str = "", *, look: str = "", tip: str = "") -> QPushButton:
    """A push button; `text` is translated and ours. `look`: accent, danger, link or copy."""
    result = QPushButton(text)
    if meaning:
        role = {"accent": "on_accent", "danger": "bad", "link": "link", "copy": "link"}.get(look, "icon")
        result.setIcon(theme.icon(meaning, role))
    if look:
        result.setProperty("look", look)
    if tip:
        result.setToolTip(wording.tip(tip))
    result.setAutoDefault(False)
    return result


def tool(name: str, meaning: str, *, tip: str = "") -> QToolButton:
    """A small button of one icon; `name` is what screen readers say and, without `tip`, its tooltip."""
    result = QToolButton()
    result.setIcon(theme.icon(meaning))
    result.setAccessibleName(name)
    result.setToolTip(wording.tip(tip or name))
    result.setProperty("look", "small")
    result.setAutoRaise(True)
    return result


def action_button(action: QAction, *, look: str = "", text: bool = True) -> QToolButton:
    """A button that is the face of `action`; a disabled one tells why in its tooltip."""
    result = QToolButton()
    result.setDefaultAction(action)
    style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if text else Qt.ToolButtonStyle.ToolButtonIconOnly
    result.setToolButtonStyle(style)
    result.setAccessibleName(action.text().rstrip("…"))
    result.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    if look:
        result.setProperty("look", look)
    return result


def row(*parts: QWidget | QLayout | int | None, spacing: int = theme.GRID) -> QHBoxLayout:
    """Widgets side by side; a number is a gap in pixels, None takes the room that is left."""
    layout = QHBoxLayout()
    _fill(layout, parts, spacing)
    return layout


def column(*parts: QWidget | QLayout | int | None, spacing: int = theme.GRID) -> QVBoxLayout:
    """As `row`, from top to bottom."""
    layout = QVBoxLayout()
    _fill(layout, parts, spacing)
    return layout


def _fill(layout: QBoxLayout, parts: tuple[QWidget | QLayout | int | None, ...], spacing: int) -> None:
    layout.setContentsMargins(QMargins())
    layout.setSpacing(spacing)
    for part in parts:
        if part is None:
            layout.addStretch(1)
        elif isinstance(part, int):
            layout.addSpacing(part)
        elif isinstance(part, QWidget):
            layout.addWidget(part)
        else:
            layout.addLayout(part)


def framed(layout: QLayout, name: str = "pane", margins: tuple[int, int, int, int] = (0, 0, 0, 0)) -> QFrame:
    """A frame styled by `name` around `layout`."""
    frame = QFrame()
    frame.setObjectName(name)
    layout.setContentsMargins(QMargins(*margins))
    frame.setLayout(layout)
    return frame


def tab_through(after: QWidget, widget: QWidget) -> QWidget:
    """Let Tab go from `after`, or what it lies in, to what takes the focus in `widget`, which was made later.

    Returns the last of it.
    """
    around = after.parentWidget()
    while around is not None and not _takes_tab(after):
        after, around = around, around.parentWidget()
    for one in (widget, *widget.findChildren(QWidget)):
        if _takes_tab(one) and one.focusProxy() is None:
            QWidget.setTabOrder(after, one)
            after = one
    return after


def _takes_tab(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)


class EmptyState(QWidget):
    """What a pane shows instead of nothing: an icon, one sentence, and the one button that helps."""

    def __init__(self, meaning: str = "info", text: str = "", action: QAction | None = None) -> None:
        super().__init__()
        self._icon = IconLabel(meaning, role="muted", size=32)
        self._text = PlainLabel(look="muted", wrap=True)
        self._text.setAlignment(ALIGN_CENTER)
        self._button = button("")
        self._button.clicked.connect(self._press)
        self._action: QAction | None = None
        layout = self._room = column(None, spacing=theme.GRID + theme.HALF)
        layout.addWidget(self._icon, 0, ALIGN_CENTER)
        layout.addWidget(self._text)
        layout.addWidget(self._button, 0, ALIGN_CENTER)
        layout.addStretch(2)
        self.setLayout(layout)
        self.show_text(meaning, text, action)

    def show_text(self, meaning: str, text: str, action: QAction | None = None) -> None:
        """Say something else."""
        self._icon.set(meaning, "muted")
        self._text.setText(text)
        self.setAccessibleName(text)
        self._action = action
        self._button.setVisible(action is not None)
        if action is not None:
            self._button.setText(action.text())
            self._button.setEnabled(action.isEnabled())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """In a low pane the sentence comes before the icon."""
        super().resizeEvent(event)
        high = event.size().height() >= theme.GRID * 12
        self._icon.setVisible(high)
        around, beside = (theme.GRID * 2 if high else 0), theme.GRID * 3
        self._room.setContentsMargins(beside, around, beside, around)

    def _press(self) -> None:
        if self._action is not None:
            self._action.trigger()


class Badge(QWidget):
    """Sign, word and colour of one state; never colour alone. Shortened where there is no room for it."""

    clicked = Signal()

    def __init__(
        self, meaning: str = "none", text: str = "", role: str = "muted", size: str = "small"
    ) -> None:
        super().__init__()
        self._icon = IconLabel(meaning, role=role, size=14)
        self._text = ElidedLabel(text, size=size)
        self._text.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.setLayout(row(self._icon, self._text, spacing=theme.HALF))
        self.set(meaning, text, role)

    def set(self, meaning: str, text: str, role: str = "muted", tip: str = "") -> None:
        """Show another state."""
        self._icon.set(meaning, role)
        self._text.setText(text)
        self._text.set_look(role if role in ("muted", "good", "warn", "bad") else "")
        self.setAccessibleName(text)
        self.setToolTip(wording.tip(tip))
        around = self.parentWidget()
        room = around.layout() if around is not None else None
        if room is not None:
            room.activate()  # else it is painted once with the room its last text had

    def mouseReleaseEvent(self, event: QEvent) -> None:
        self.clicked.emit()


class DropCue(QFrame):
    """Lies over the window while files are dragged into it, and says what letting go would do."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("drop")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._icon = IconLabel("add", role="accent", size=40)
        self._text = PlainLabel(size="large", bold=True, wrap=True)
        self._text.setAlignment(ALIGN_CENTER)
        layout = column(None, spacing=theme.GRID * 2)
        layout.addWidget(self._icon, 0, ALIGN_CENTER)
        layout.addWidget(self._text)
        layout.addStretch(1)
        self.setLayout(layout)
        self.hide()

    def show_text(self, meaning: str, text: str) -> None:
        """Appear with a sentence."""
        self._icon.set(meaning, "accent")
        self._text.setText(text)
        window = self.parentWidget()
        assert window is not None
        self.setGeometry(window.rect().marginsRemoved(QMargins(*(theme.GRID,) * 4)))
        self.raise_()
        self.show()


def paint_icon(painter: QPainter, icon: QIcon, box: QRect, size: int = 16) -> None:
    """Paint `icon` in the middle of `box`."""
    spot = QRect(0, 0, size, size)
    spot.moveCenter(box.center())
    icon.paint(painter, spot)
