"""Two small texts as one unified difference: signs, and colours besides. Large texts are not compared here."""

from __future__ import annotations

import difflib

from PySide6.QtGui import QFont, QSyntaxHighlighter, QTextCharFormat, QTextDocument
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from modelkeep.gui import theme
from modelkeep.gui.wording import lines, translate

MOST_LINES = 2_000
_WIDTH = 2_000  # characters of a line that are shown


class TooLong(ValueError):
    """A text has more lines than are compared."""


def unified(before: bytes, after: bytes) -> str:
    """The unified difference of two UTF-8 texts, without file names; "" if only line ends differ.

    Takes a moment: for worker threads. Raises TooLong.
    """
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > MOST_LINES:
        raise TooLong
    found = list(difflib.unified_diff(old, new, n=3, lineterm=""))[2:]
    return "\n".join(found)


def _lines(data: bytes) -> list[str]:
    return [line[:_WIDTH] for line in data.decode("utf-8", "replace").splitlines()]


class _Paint(QSyntaxHighlighter):
    """Colours each line by its sign."""

    def highlightBlock(self, text: str) -> None:
        role = {"+": "good", "-": "bad", "@": "link"}.get(text[:1])
        if role is not None:
            form = QTextCharFormat()
            form.setForeground(theme.colour(role))
            if role == "link":
                form.setFontWeight(QFont.Weight.DemiBold)
            self.setFormat(0, len(text), form)


class TextDiff(QPlainTextEdit):
    """Shows what `unified` found."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setTabChangesFocus(True)
        self.setProperty("look", "preview")
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setFont(theme.mono())
        self.setAccessibleName(translate("TextDiff", "Lines that differ: + added, - removed"))
        document: QTextDocument = self.document()
        document.setDocumentMargin(theme.GRID)
        self._paint = _Paint(document)
        theme.notifier().changed.connect(self._paint.rehighlight)

    def show_diff(self, diff: str) -> None:
        """Show a difference as `unified` gives it."""
        self.setPlainText(lines(diff) if diff else translate("TextDiff", "Only the ends of lines differ."))
