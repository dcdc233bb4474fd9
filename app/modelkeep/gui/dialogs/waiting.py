"""A sentence for as long as something outside has to be done, such as touching a security key. Asks nothing."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from modelkeep.gui.dialogs.frame import Dialog
from modelkeep.gui.wording import translate


class WaitingDialog(Dialog):
    """Stands beside the window and locks nothing. It goes when what it waits for has happened, or is hidden."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(
            translate("Waiting", "Logging in"), icon="touch", text=text, parent=parent, width=420
        )
        self.heading.setText(translate("Waiting", "This waits for you"))
        self.setModal(False)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.close_button(translate("Waiting", "Hide"))
