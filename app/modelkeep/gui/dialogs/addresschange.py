"""Asks before data goes to, or comes from, another place than before. Connects to nothing."""

from __future__ import annotations

from PySide6.QtGui import QFont
from PySide6.QtWidgets import QWidget

from modelkeep.gui import theme
from modelkeep.gui.dialogs.frame import Dialog
from modelkeep.gui.dialogs.wizard.choices import Fields
from modelkeep.gui.widgets import PlainLabel, column
from modelkeep.gui.wording import line, translate


class AddressChangedDialog(Dialog):
    """Accepted means that the new address is the right one. Cancel is the default."""

    def __init__(self, remote: str, old: str, new: str, parent: QWidget | None = None) -> None:
        super().__init__(
            translate("AddressChanged", "Storage has moved"),
            icon="unsafe",
            heading=translate("AddressChanged", "The storage “{name}” has another address now").format(
                name=line(remote)
            ),
            text=translate(
                "AddressChanged",
                "This project now stores its data at the new address instead of the one you used so far. A commit, another branch or an edited file changed it. Nothing has been sent there yet.",
            ),
            parent=parent,
            width=600,
        )
        for name, url in (
            (translate("AddressChanged", "So far"), old),
            (translate("AddressChanged", "Now"), new),
        ):
            self._show(name, url, theme.mono())
        if differs := what_differs(old, new):
            self._show(translate("AddressChanged", "Different"), differs, theme.font())
        self.notice.say(
            "info",
            translate(
                "AddressChanged",
                "A password that you stored for the old address is not offered to the new one. If you did not expect this, ask whoever changed the project.",
            ),
        )
        self.proceed = self.primary(
            translate("AddressChanged", "&Use the new address"), look="", default=False
        )
        self.cancel.setFocus()

    def _show(self, name: str, text: str, font: QFont) -> None:
        caption = PlainLabel(name, look="muted")
        words = PlainLabel(text, wrap=True).selectable()
        words.setFont(font)
        words.setAccessibleName(line(f"{name}: {text}"))
        self.body.addLayout(column(caption, words, spacing=0))


def what_differs(old: str, new: str) -> str:
    """The parts of two addresses that are not the same, in words; "" where they cannot be taken apart."""
    if not (old.startswith("ssh://") and new.startswith("ssh://")):
        return ""
    was, now = Fields.of(old), Fields.of(new)
    parts = (
        (translate("AddressChanged", "server"), was.host, now.host),
        (translate("AddressChanged", "account"), was.user, now.user),
        (translate("AddressChanged", "port"), was.port or "22", now.port or "22"),
        (translate("AddressChanged", "folder"), was.path, now.path),
    )
    return ", ".join(name for name, before, after in parts if before != after)
