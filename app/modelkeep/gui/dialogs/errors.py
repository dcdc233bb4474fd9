"""Shows an error: what happened, the cause, the fix, and a button that copies all of it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialogButtonBox, QPlainTextEdit, QWidget

from modelkeep.core.errors import HostKeyChanged, ModelkeepError, Refused
from modelkeep.gui import theme
from modelkeep.gui.advice import in_window
from modelkeep.gui.dialogs.frame import Dialog
from modelkeep.gui.dialogs.pathlist import PathList
from modelkeep.gui.widgets import PlainLabel, button
from modelkeep.gui.wording import lines, translate


class ErrorDialog(Dialog):
    """One error. Ours say what to do next; a foreign one gives its details to copy."""

    def __init__(self, error: BaseException, parent: QWidget | None = None) -> None:
        ours = isinstance(error, ModelkeepError)
        super().__init__(
            translate("ErrorDialog", "Modelkeep"),
            icon="unsafe" if isinstance(error, Refused) else "error",
            heading=_title(error),
            parent=parent,
            width=520,
        )
        self._error = error
        if isinstance(error, ModelkeepError):
            self._show_cause(error)
        else:
            self._show_details(str(error))
        self._copy = self.extra_button(translate("ErrorDialog", "Copy"), "copy")
        self._copy.setToolTip(translate("ErrorDialog", "Copy everything this dialog says"))
        self._copy.clicked.connect(self._copy_text)
        self.close_button().setFocus()
        self.setAccessibleDescription(lines(report(error)))
        self.notice.setVisible(ours and bool(self.notice.text()))

    def offer(self, text: str, run: Callable[[], None]) -> None:
        """Add a button for what helps: it closes this dialog and does that. Close stays the default."""
        help_button = button(text, look="accent")
        help_button.clicked.connect(self.accept)
        help_button.clicked.connect(run)
        self.buttons.addButton(help_button, QDialogButtonBox.ButtonRole.AcceptRole)

    def _show_cause(self, error: ModelkeepError) -> None:
        self.heading.selectable()
        if error.detail:
            detail = PlainLabel(error.detail, wrap=True).selectable()
            detail.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
            self.body.addWidget(detail)
        if len(error.paths) > 1:
            self.body.addWidget(PathList(error.paths, translate("ErrorDialog", "Files it is about")))
        if error.hint:
            kind = "warning" if isinstance(error, HostKeyChanged) else "info"
            self.notice.say(kind, in_window(error.hint))

    def _show_details(self, text: str) -> None:
        self.explain(
            translate(
                "ErrorDialog",
                "This should not have happened. What was finished before is kept. The details help to mend it.",
            )
        )
        details = QPlainTextEdit(lines(f"{type(self._error).__name__}: {text}"))
        details.setReadOnly(True)
        details.setTabChangesFocus(True)
        details.setFont(theme.mono())
        details.setAccessibleName(translate("ErrorDialog", "Details"))
        details.setFixedHeight(16 * theme.GRID)
        self.body.addWidget(details)

    def _copy_text(self) -> None:
        QGuiApplication.clipboard().setText(report(self._error))
        self._copy.setText(translate("ErrorDialog", "Copied"))


def _title(error: BaseException) -> str:
    if isinstance(error, ModelkeepError):
        return error.title
    return translate("ErrorDialog", "Something unexpected went wrong")


def report(error: BaseException) -> str:
    """All an error says, as plain text for the clipboard."""
    if not isinstance(error, ModelkeepError):
        return f"{type(error).__name__}: {error}"
    said = [error.title, error.detail, in_window(error.hint)]
    return "\n".join([*(part for part in said if part), *(error.paths if len(error.paths) > 1 else ())])


def show_error(parent: QWidget | None, error: BaseException) -> ErrorDialog:
    """Open the dialog without waiting for it; returns it."""
    dialog = ErrorDialog(error, parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
    return dialog
