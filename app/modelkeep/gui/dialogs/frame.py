"""What all dialogs share: heading, body, notice and buttons on one grid. Knows nothing of projects."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QSize, Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from modelkeep.gui import theme
from modelkeep.gui.theme import GRID
from modelkeep.gui.widgets import ElidedLabel, IconLabel, PlainLabel, button
from modelkeep.gui.wording import line, lines, tip, translate

_Role = QDialogButtonBox.ButtonRole


class Dialog(QDialog):
    """A dialog with an icon and a heading, a `body` to fill, a `notice`, and buttons below.

    Esc and closing mean Cancel. Only one button is the default, and it is Cancel until `primary` is added
    with `default=True`.
    """

    def __init__(
        self,
        title: str,
        *,
        icon: str,
        heading: str = "",
        text: str = "",
        parent: QWidget | None = None,
        width: int = 560,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(line(title))
        self.setModal(True)
        self._width = width
        self.heading = PlainLabel(heading or title, size="large", bold=True, wrap=True)
        self.explanation = PlainLabel(text, look="muted", wrap=True)
        self.explanation.setVisible(bool(text))
        self.inside = QWidget(self)
        self.body = QVBoxLayout(self.inside)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(GRID)
        self.notice = Notice(self)
        self.buttons = QDialogButtonBox(self)
        self._arrange(icon)
        self.setAccessibleName(line(title))
        self.setAccessibleDescription(lines(text))

    def _arrange(self, icon: str) -> None:
        head = QHBoxLayout()
        head.setSpacing(2 * GRID)
        role = {"error": "bad", "warning": "warn", "unsafe": "warn"}.get(icon, "icon")
        head.addWidget(IconLabel(icon, role=role, size=32), 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(theme.HALF)
        words.addWidget(self.heading)
        words.addWidget(self.explanation)
        head.addLayout(words, 1)
        layout = self.main = self._outermost()
        layout.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 2 * GRID)
        layout.setSpacing(2 * GRID)
        layout.addLayout(head)
        layout.addWidget(self.inside, 1)
        layout.addWidget(self.notice)
        self._extras = QHBoxLayout()
        self._extras.setSpacing(GRID)
        foot = self._foot = QHBoxLayout()
        foot.setSpacing(GRID)
        foot.addLayout(self._extras)
        foot.addStretch(1)
        foot.addWidget(self.buttons)
        layout.addLayout(foot)

    def _outermost(self) -> QVBoxLayout:
        """Where head, body, notice and buttons go; a dialog with something beside them has another answer."""
        return QVBoxLayout(self)

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        width = max(hint.width(), self._width)
        layout = self.layout()
        if layout is not None and layout.hasHeightForWidth():
            return QSize(width, layout.totalHeightForWidth(width))
        return QSize(width, hint.height())

    def refit(self) -> None:
        """Grow to what the content wants now, within the screen; never shrink under the user's eyes."""
        if not self.isVisible():
            return  # it is shown as large as it has to be
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
        room = self.screen().availableGeometry().size() * 0.9
        self.resize(self.size().expandedTo(self.sizeHint().boundedTo(room)))

    def explain(self, text: str) -> None:
        """Change the sentence under the heading."""
        self.explanation.setText(text)
        self.explanation.setVisible(bool(text))

    def form(self) -> QFormLayout:
        """A block of labelled fields at the end of the body."""
        form = QFormLayout()
        form.setHorizontalSpacing(2 * GRID)
        form.setVerticalSpacing(GRID)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.body.addLayout(form)
        return form

    def primary(
        self, text: str, meaning: str = "", *, look: str = "accent", default: bool = True
    ) -> QPushButton:
        """Add the button that does it, and Cancel next to it."""
        does = button(text, meaning, look=look)
        self.buttons.addButton(does, _Role.AcceptRole)
        cancel = self.cancel = button(translate("Dialog", "Cancel"))
        self.buttons.addButton(cancel, _Role.RejectRole)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        make_default(does if default else cancel)
        return does

    def close_button(self, text: str = "") -> QPushButton:
        """Add a single button that closes the dialog."""
        close = button(text or translate("Dialog", "Close"))
        self.buttons.addButton(close, _Role.RejectRole)
        self.buttons.rejected.connect(self.reject)
        make_default(close)
        return close

    def extra_button(self, text: str, meaning: str = "") -> QPushButton:
        """Add a button at the left that does something beside the point, such as Copy."""
        extra = button(text, meaning)
        self._extras.addWidget(extra)
        return extra


class Notice(QFrame):
    """One remark in a banner, with a sign: "info", "warning", "error", "done" or "busy"; hidden when empty."""

    _ROLES = {"info": "icon", "warning": "warn", "error": "bad", "done": "good", "busy": "icon"}  # noqa: RUF012

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.kind = ""
        self._picture = IconLabel("info")
        self._text = PlainLabel(wrap=True)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(GRID + theme.HALF, GRID, GRID + theme.HALF, GRID)
        self.row.setSpacing(GRID)
        self.row.addWidget(self._picture, 0, Qt.AlignmentFlag.AlignTop)
        self.row.addWidget(self._text, 1)
        self.setVisible(False)

    def say(self, kind: str, text: str, fix: str = "") -> None:
        """Show a remark and, on a second line, what to do about it; an empty text hides the banner."""
        self.kind = kind if text else ""
        whole = lines("\n".join(part for part in (text, fix) if part))
        self._text.setText(whole)
        self.setAccessibleName(whole)
        if text:
            self._picture.set(kind, self._ROLES[kind])
        self.setVisible(bool(text))

    def text(self) -> str:
        """What it says now."""
        return self._text.text()


class NameLabel(ElidedLabel):
    """A name or path on one line, shortened in the middle."""

    def __init__(self, text: str = "", *, look: str = "", bold: bool = False) -> None:
        super().__init__(text, look=look, bold=bold, middle=True)


def make_default(chosen: QPushButton) -> None:
    """Enter presses `chosen` unless the focus is on another button."""
    chosen.setAutoDefault(True)
    chosen.setDefault(True)


def allow(chosen: QPushButton, reason: str = "") -> None:
    """Enable a button, or disable it with `reason` as its tooltip."""
    chosen.setEnabled(not reason)
    chosen.setToolTip(tip(reason))
    chosen.setAccessibleDescription(line(reason))


def labelled(form: QFormLayout, text: str, field: QWidget, *, beside: Any = None) -> PlainLabel:
    """Add a field under a label that names it and carries its shortcut; `beside` is a widget at its right."""
    name = PlainLabel(text)
    name.setBuddy(field)
    name.setMinimumHeight(field.sizeHint().height() if field.focusPolicy() or field.focusProxy() else 0)
    field.setAccessibleName(text.replace("&", ""))
    if beside is None:
        form.addRow(name, field)
        return name
    row = QHBoxLayout()
    row.setSpacing(GRID)
    row.addWidget(field, 1)
    row.addWidget(beside)
    form.addRow(name, row)
    return name
