"""Asks before something is replaced or deleted: the button carries verb and count, Cancel is the default."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QWidget

from modelkeep.gui.dialogs.frame import Dialog
from modelkeep.gui.dialogs.pathlist import PathList
from modelkeep.gui.widgets import PlainLabel
from modelkeep.gui.wording import counted, translate


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


class ReplaceDialog(ConfirmDialog):
    """Asks whether files that are saved nowhere else are to be kept in the cache and then replaced."""

    def __init__(self, paths: Sequence[str], parent: QWidget | None = None) -> None:
        count = len(paths)
        super().__init__(
            counted(
                count,
                translate("ReplaceDialog", "{n} file holds data that is saved nowhere else"),
                translate("ReplaceDialog", "{n} files hold data that is saved nowhere else"),
            ),
            verb=counted(
                count,
                translate("ReplaceDialog", "Save and replace it"),
                translate("ReplaceDialog", "Save and replace {n} files"),
            ),
            text=counted(
                count,
                translate("ReplaceDialog", "It would be replaced, so nothing was put in place yet."),
                translate("ReplaceDialog", "They would be replaced, so nothing was put in place yet."),
            ),
            paths=paths,
            remark=translate(
                "ReplaceDialog",
                "What is saved in the cache first can be got back with “Bring back what was replaced…”.",
            ),
            parent=parent,
        )
