"""The pane around a view: a title, a filter, and what is said instead of rows. Knows nothing of versions or outputs."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QStackedWidget, QWidget

from modelkeep.gui import theme
from modelkeep.gui.widgets import EmptyState, Hairline, PlainLabel, column, framed, row
from modelkeep.gui.wording import translate


class Pane(QWidget):
    """A title, a filter, and beneath them the view or what is said instead of nothing."""

    def __init__(
        self,
        title: str,
        view: QWidget,
        *,
        placeholder: str = "",
        tools: tuple[QWidget, ...] = (),
        bare: bool = False,
    ) -> None:
        super().__init__()
        self.title = PlainLabel(title, bold=True)
        self.filter = QLineEdit()
        self.filter.setProperty("look", "filter")
        self.filter.setPlaceholderText(placeholder)
        self.filter.setAccessibleName(placeholder)
        self.filter.setClearButtonEnabled(True)
        self.filter.addAction(theme.icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        self.filter.setVisible(bool(placeholder))
        self.empty = EmptyState()
        self.view = view
        self._stack = QStackedWidget()
        self._stack.setObjectName("pane")
        self._stack.setMinimumHeight(theme.GRID * 6)
        self._stack.addWidget(view)
        self._stack.addWidget(self.empty)
        head = row(self.title, self.filter, *tools) if placeholder else row(self.title, None, *tools)
        if placeholder:
            head.setStretchFactor(self.filter, 1)
        bar = framed(head, margins=(theme.GRID + theme.HALF, theme.HALF, theme.GRID, theme.HALF))
        bar.setFixedHeight(theme.GRID * 5)
        line = Hairline()
        self.setLayout(column(bar, line, self._stack, spacing=0))
        if bare:
            bar.hide()
            line.hide()
        self._loading = ""
        self._pause = QTimer(self, singleShot=True, interval=150)
        self._later = QTimer(self, singleShot=True, interval=300)
        self._later.timeout.connect(self._show_loading)
        self.filter.installEventFilter(self)

    def on_filter(self, apply: Callable[[str], None]) -> None:
        """Call `apply` with the filter's text a moment after the user stops typing."""
        self.filter.textChanged.connect(lambda _: self._pause.start())
        self._pause.timeout.connect(lambda: apply(self.filter.text()))

    def show_view(self) -> None:
        """Show the rows."""
        self._later.stop()
        self._stack.setCurrentWidget(self.view)

    def show_empty(self, meaning: str, text: str, action: QAction | None = None) -> None:
        """Say why there are no rows, and what to do."""
        self._later.stop()
        self.empty.show_text(meaning, text, action)
        self._stack.setCurrentWidget(self.empty)

    def show_loading(self, text: str = "") -> None:
        """Say that it is being read, but only if that takes longer than a blink."""
        self._loading = text or translate("Pane", "Loading…")
        if not self._later.isActive():
            self._later.start()

    def _show_loading(self) -> None:
        self.show_empty("busy", self._loading)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.filter and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_Escape:
                self.filter.clear()
                self.view.setFocus()
                return True
            if event.key() == Qt.Key.Key_Down:
                self.view.setFocus()
                return True
        return super().eventFilter(watched, event)
