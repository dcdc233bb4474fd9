"""Asks before something is replaced or deleted: the button carries verb and count, Cancel is the default."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QWidget

from modelkeep.gui.dialogs.frame import Dialog
from modelkeep.gui.dialogs.pathlist import PathList
from modelkeep.gui.widgets import PlainLabel
from modelkeep.gui.wording import translate


class ConfirmDialog(Dialog):
    """`verb` is the whole text of the button, such as "Replace 12 files"; `paths` are listed, all of them."""

    def __init__(
        self,
        question: str,
        *,
        verb: str,
        text: str = "",
        paths: Sequence[str] = (),
        remark: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(
            translate("ConfirmDialog", "Please confirm"),
            icon="warning",
            heading=question,
            text=text,
            parent=parent,
            width=480,
        )
        if paths:
            name = translate("ConfirmDialog", "&Files concerned")
            caption = PlainLabel(name)
            files = PathList(paths, name.replace("&", ""))
            caption.setBuddy(files)
            self.body.addWidget(caption)
            self.body.addWidget(files, 1)
        self.notice.say("info", remark)
        self.proceed = self.primary(verb, look="danger", default=False)
        self.cancel.setFocus()
