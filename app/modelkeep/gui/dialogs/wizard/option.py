"""One of several choices that exclude each other: a radio button, what it means, and fields that belong to it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QFrame, QRadioButton, QWidget

from modelkeep.gui import theme
from modelkeep.gui.widgets import IconLabel, PlainLabel, column, row


class Option(QFrame):
    """A click anywhere on it chooses it; its `inside` is there only while it is chosen."""

    def __init__(self, text: str, sentence: str, icon: str = "", *, inside: QWidget | None = None) -> None:
        super().__init__()
        self.setObjectName("option")
        self.button = QRadioButton(text)
        self.button.setFont(theme.font(bold=True))
        self.button.setAccessibleDescription(sentence)
        self.sentence = PlainLabel(sentence, look="muted", wrap=True)
        self.inside = inside
        words = column(self.sentence, *([inside] if inside is not None else []), spacing=theme.GRID)
        words.setContentsMargins(3 * theme.GRID - 2, 0, 0, 0)
        layout = column(self.button, words, spacing=theme.HALF)
        if icon:
            whole = row(layout, IconLabel(icon, role="muted", size=28), spacing=theme.GRID)
            whole.setStretch(0, 1)
        else:
            whole = row(layout)
        whole.setContentsMargins(12, 10, 12, 10)
        self.setLayout(whole)
        self.button.toggled.connect(self._mark)
        self.button.installEventFilter(self)
        self._mark(False)

    def _mark(self, chosen: bool) -> None:
        if self.inside is not None:
            self.inside.setVisible(chosen)
        self._polish()

    def _polish(self) -> None:
        chosen, held = self.button.isChecked(), self.button.hasFocus()
        self.setProperty("look", "held" if held else "chosen" if chosen else "")
        self.style().unpolish(self)
        self.style().polish(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self._polish()
        return super().eventFilter(watched, event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.button.setChecked(True)
            self.button.setFocus(Qt.FocusReason.MouseFocusReason)
