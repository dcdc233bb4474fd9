"""Shows a plan before it runs: steps with their signs, remarks with their fixes, in a pane that scrolls."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QObject, QSize
from PySide6.QtWidgets import QFrame, QLayout, QScrollArea, QVBoxLayout, QWidget

from modelkeep.gui import theme
from modelkeep.gui.dialogs.frame import NameLabel, Notice
from modelkeep.gui.widgets import IconLabel, PlainLabel, row, tab_through
from modelkeep.gui.wording import line


class Scroll(QScrollArea):
    """As high as its content wants up to `most` pixels; beyond that it scrolls."""

    def __init__(self, name: str, most: int = 30 * theme.GRID) -> None:
        super().__init__()
        self._most = most
        self.inside = QWidget()
        self.inside.setObjectName("scrolled")
        self.content = QVBoxLayout(self.inside)
        self.content.setContentsMargins(0, 0, 0, 0)
        self.content.setSpacing(theme.GRID)
        self.setWidget(self.inside)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAccessibleName(name)
        self.viewport().setAutoFillBackground(False)
        self.inside.setAutoFillBackground(False)
        self.inside.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def sizeHint(self) -> QSize:
        height = self.inside.sizeHint().height()
        return QSize(40 * theme.GRID, min(height, self._most))

    def minimumSizeHint(self) -> QSize:
        return QSize(20 * theme.GRID, min(self.inside.sizeHint().height(), 9 * theme.GRID))


class PlanView(Scroll):
    """A summary, the remarks, and the steps of a plan."""

    def __init__(self, name: str, most: int = 34 * theme.GRID) -> None:
        super().__init__(name, most)
        self._last: QWidget = self
        self.summary = PlainLabel("", wrap=True, bold=True)
        self.content.addWidget(self.summary)
        self._lines = QVBoxLayout()
        self._lines.setSpacing(theme.HALF + 2)
        self.content.addLayout(self._lines)
        self.content.addStretch(1)

    def clear(self, summary: str = "") -> None:
        """Show nothing but `summary`."""
        self.summary.setText(summary)
        self.summary.setVisible(bool(summary))
        empty(self._lines)
        self._last = self
        self.updateGeometry()

    def add_remark(self, kind: str, text: str, fix: str = "") -> None:
        """Add a banner: "error" for what blocks, "warning" or "info" for what to know."""
        notice = Notice()
        self.add_widget(notice)
        notice.say(kind, text, fix)

    def add_step(
        self, meaning: str, text: str, detail: str = "", *, role: str = "icon", dim: bool = False
    ) -> None:
        """Add one line: sign, what is done, and with what."""
        what = PlainLabel(text, look="muted" if dim else "")
        facts = NameLabel(detail, look="muted")
        holder = QWidget()
        holder.setLayout(
            row(IconLabel(meaning, role="muted" if dim else role), what, facts, spacing=theme.GRID)
        )
        layout = holder.layout()
        assert layout is not None
        layout.setStretch(2, 1)  # type: ignore[attr-defined]
        holder.setAccessibleName(line(f"{text}: {detail}" if detail else text))
        self.add_widget(holder)

    def add_widget(self, widget: QWidget) -> None:
        """Add something of the caller's below the steps so far."""
        self._lines.addWidget(widget)
        self._last = tab_through(self._last, widget)
        widget.show()

    def texts(self) -> list[str]:
        """What the remarks and steps say, for tests and screen readers."""
        return [widget.accessibleName() for widget in _widgets(self._lines)]


def _widgets(layout: QLayout) -> Iterable[QWidget]:
    for place in range(layout.count()):
        item = layout.itemAt(place)
        widget = item.widget() if item else None
        if widget is not None:
            yield widget


def empty(layout: QLayout) -> None:
    """Take everything out of `layout`; the widgets go as soon as nothing happens in them any more."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.setParent(None)  # or a dialog that ends first would take it along, and it would go twice
            widget.deleteLater()
