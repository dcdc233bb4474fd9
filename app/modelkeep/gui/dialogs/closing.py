"""Asks what becomes of unfinished jobs when the window is to be closed. Staying is the default."""

from __future__ import annotations

from typing import Literal

from PySide6.QtWidgets import QDialogButtonBox, QWidget

from modelkeep.gui.dialogs.frame import Dialog
from modelkeep.gui.widgets import button
from modelkeep.gui.wording import counted, translate

Answer = Literal["stay", "wait", "cancel"]


class ClosingDialog(Dialog):
    """`answer` after it was closed: "wait" closes the window when the last job is done."""

    def __init__(self, count: int, parent: QWidget | None = None) -> None:
        super().__init__(
            translate("Closing", "Work is going on"),
            icon="warning",
            heading=counted(
                count,
                translate("Closing", "{n} job is not finished"),
                translate("Closing", "{n} jobs are not finished"),
            ),
            text=translate(
                "Closing", "Cancelling keeps what is finished; the same job goes on from there next time."
            ),
            parent=parent,
            width=480,
        )
        self.answer: Answer = "stay"
        self.wait = button(translate("Closing", "Close when done"))
        self.wait.clicked.connect(lambda: self._take("wait"))
        self.buttons.addButton(self.wait, QDialogButtonBox.ButtonRole.ActionRole)
        self.stop = self.primary(translate("Closing", "Cancel jobs and close"), look="danger", default=False)
        self.cancel.setText(translate("Closing", "Stay"))
        self.cancel.setFocus()

    def _take(self, answer: Answer) -> None:
        self.answer = answer
        super().accept()

    def accept(self) -> None:
        self._take("cancel")
