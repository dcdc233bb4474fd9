"""The pane that shows how one file differs: the fitting view, or the facts where there is none."""

from __future__ import annotations

from PySide6.QtWidgets import QFormLayout, QStackedWidget, QWidget

from modelkeep.gui import theme
from modelkeep.gui.diffviews.content import Content, facts
from modelkeep.gui.diffviews.image import ImageDiff
from modelkeep.gui.diffviews.text import TextDiff
from modelkeep.gui.widgets import EmptyState, PlainLabel, column
from modelkeep.gui.wording import translate


class DiffView(QStackedWidget):
    """Shows a Content, or says what to choose."""

    def __init__(self) -> None:
        super().__init__()
        self.hint = EmptyState("compare", translate("Diff", "Choose a file to see what changed in it."))
        self.text = TextDiff()
        self.image = ImageDiff()
        self._facts = QWidget()
        self._form = QFormLayout()
        self._reason = PlainLabel("", look="muted", wrap=True)
        whole = column(self._reason, self._form, None, spacing=2 * theme.GRID)
        whole.setContentsMargins(2 * theme.GRID, 2 * theme.GRID, 2 * theme.GRID, theme.GRID)
        self._facts.setLayout(whole)
        for page in (self.hint, self.text, self.image, self._facts):
            self.addWidget(page)

    def clear(self, text: str = "") -> None:
        """Show only a sentence."""
        self.hint.show_text("compare", text or translate("Diff", "Choose a file to see what changed in it."))
        self.setCurrentWidget(self.hint)

    def show_content(self, content: Content) -> None:
        """Show what was read."""
        if content.kind == "text":
            self.text.show_diff(content.diff)
            self.setCurrentWidget(self.text)
        elif content.kind == "image":
            self.image.show_images(content.before, content.after, content.captions)
            self.setCurrentWidget(self.image)
        else:
            self._show_facts(content)

    def _show_facts(self, content: Content) -> None:
        while self._form.rowCount():
            self._form.removeRow(0)
        for what, value in facts(content.row):
            self._form.addRow(PlainLabel(what, look="muted"), PlainLabel(value, wrap=True).selectable())
        self._reason.setText(content.reason)
        self._reason.setVisible(bool(content.reason))
        self.setCurrentWidget(self._facts)
