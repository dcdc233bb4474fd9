"""Shows what a server asks while one logs in, word for word, and takes the answers. Holds them only while open."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from modelkeep.core.values import Secret
from modelkeep.gui import theme
from modelkeep.gui.dialogs.frame import Dialog, NameLabel, labelled
from modelkeep.gui.dialogs.login import SecretEdit
from modelkeep.gui.dialogs.planview import Scroll
from modelkeep.gui.widgets import PlainLabel, column, framed
from modelkeep.gui.wording import lines, translate

_MOST_TEXT = 2000
_MOST_PROMPT = 400


class AnswersDialog(Dialog):
    """One round of questions. Enter goes to the next field, and from the last one sends them.

    What the server wrote is shown as plain text and named as the server's own, because it may write anything.
    """

    def __init__(
        self,
        address: str,
        title: str,
        instructions: str,
        prompts: Sequence[tuple[str, bool]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(
            translate("Answers", "Log in"),
            icon="question",
            heading=translate("Answers", "The server asks"),
            text=translate(
                "Answers",
                "What it asks is shown in its own words. Answers go to this server only, and none is kept.",
            ),
            parent=parent,
            width=520,
        )
        self._answers: list[Secret] | None = None
        self.edits: list[QLineEdit] = []
        form = self.form()
        labelled(form, translate("Answers", "Account"), NameLabel(address, bold=True))
        self._show_words(title, instructions)
        self._add_prompts(prompts)
        self.proceed = self.primary(translate("Answers", "Send"))
        if self.edits:
            self.edits[0].setFocus()

    def _show_words(self, title: str, instructions: str) -> None:
        words = [PlainLabel(text, bold=bold, wrap=True) for text, bold in (
            (title.strip()[:_MOST_PROMPT], True), (instructions.strip()[:_MOST_TEXT], False)) if text]  # fmt: skip
        self.words = "\n".join(one.text() for one in words)
        if words:
            self.body.addWidget(framed(column(*words, spacing=theme.HALF), "banner", (12, 8, 12, 8)))

    def _add_prompts(self, prompts: Sequence[tuple[str, bool]]) -> None:
        box = Scroll(translate("Answers", "Questions"), most=44 * theme.GRID)
        box.content.setSpacing(theme.HALF)
        for prompt, shown in prompts:
            text = lines(prompt.strip()[:_MOST_PROMPT]) or translate("Answers", "(no words)")
            caption = PlainLabel(text, wrap=True)
            field = QLineEdit() if shown else SecretEdit(text)
            edit = field if isinstance(field, QLineEdit) else field.edit
            edit.setAccessibleName(text)
            caption.setBuddy(edit)
            edit.installEventFilter(self)
            self.edits.append(edit)
            box.content.addWidget(caption)
            box.content.addWidget(field)
            box.content.addSpacing(theme.HALF)
        box.content.addStretch(1)
        self.body.addWidget(box, 1)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and self._goes_on(event.key())
        ):
            for edit, following in pairwise(self.edits):
                if edit is watched:
                    following.setFocus(Qt.FocusReason.TabFocusReason)
                    return True
        return super().eventFilter(watched, event)

    @staticmethod
    def _goes_on(key: int) -> bool:
        return key in (Qt.Key.Key_Return, Qt.Key.Key_Enter)

    def done(self, code: int) -> None:
        if code == Dialog.DialogCode.Accepted:
            self._answers = [Secret(edit.text()) for edit in self.edits]
        for edit in self.edits:
            edit.clear()
        super().done(code)

    def answers(self) -> list[Secret] | None:
        """What was typed, in the order of the prompts, None after Cancel. Given out once."""
        answers, self._answers = self._answers, None
        return answers
