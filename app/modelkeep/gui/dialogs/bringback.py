"""Asks which replaced files are to be brought back: one restore or checkout at a time, the newest first. Moves nothing."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QComboBox, QSizePolicy, QWidget

from modelkeep.core.workflows.restore import Replaced
from modelkeep.gui import wording
from modelkeep.gui.dialogs.frame import Dialog, labelled
from modelkeep.gui.dialogs.pathlist import PathList
from modelkeep.gui.widgets import PlainLabel
from modelkeep.gui.wording import translate


class BringBackDialog(Dialog):
    """`found` are the records, newest first, at least one; `chosen` is the one the user means."""

    def __init__(self, found: Sequence[Replaced], parent: QWidget | None = None) -> None:
        super().__init__(
            translate("BringBack", "Bring back"),
            icon="restore",
            heading=translate("BringBack", "Bring back what was replaced?"),
            text=translate("BringBack", "It goes where it was. What is there now and unsaved is kept first."),
            parent=parent,
            width=520,
        )
        self._found = tuple(found)
        self.records = QComboBox()
        self.records.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for one in self._found:
            self.records.addItem(_line(one))
        labelled(self.form(), translate("BringBack", "&Replaced"), self.records)
        self.records.setEnabled(len(self._found) > 1)
        caption = PlainLabel(translate("BringBack", "&Files concerned"))
        self.files = PathList((), translate("BringBack", "Files concerned"))
        caption.setBuddy(self.files)
        self.body.addWidget(caption)
        self.body.addWidget(self.files, 1)
        self.proceed = self.primary("", look="danger", default=False)
        self.records.currentIndexChanged.connect(self._show)
        self._show()
        self.cancel.setFocus()

    @property
    def chosen(self) -> Replaced:
        """The record to bring back."""
        return self._found[self.records.currentIndex()]

    def verb(self) -> str:
        """What the button says."""
        return translate("BringBack", "Bring back {files}").format(
            files=wording.files(len(self.chosen.paths))
        )

    def _show(self) -> None:
        self.files.show_paths(self.chosen.paths)
        self.proceed.setText(self.verb())
        self.records.setToolTip(wording.tip(self.records.currentText()))
        self.refit()


def _line(one: Replaced) -> str:
    """When it was, how much, and for an export where."""
    text = translate("BringBack", "{when}: {files}").format(
        when=wording.exact_when(one.when), files=wording.files(len(one.paths))
    )
    if one.folder:
        text = translate("BringBack", "{text}, in {folder}").format(
            text=text, folder=wording.line(one.folder)
        )
    return text
