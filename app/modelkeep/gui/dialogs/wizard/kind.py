"""The page that asks what kind of storage it is; kinds that are not done yet are listed, and say so."""

from __future__ import annotations

from PySide6.QtWidgets import QButtonGroup, QRadioButton, QWidget

from modelkeep.core.workflows import storage
from modelkeep.gui import theme
from modelkeep.gui.dialogs.planview import Scroll
from modelkeep.gui.dialogs.wizard.choices import FOLDER, SSH, Choices
from modelkeep.gui.dialogs.wizard.option import Option
from modelkeep.gui.dialogs.wizard.page import Page
from modelkeep.gui.widgets import IconLabel, PlainLabel, column, row
from modelkeep.gui.wording import line, translate

_ICONS = {SSH: "server", FOLDER: "folder"}


class KindPage(Page):
    """A server by SSH or a folder; the rest of what the DVC config knows with what it would need."""

    def __init__(self, choices: Choices) -> None:
        super().__init__()
        self.title = translate("Setup", "Kind of storage")
        self.heading = translate("Setup", "Where will the data be kept?")
        self.text = translate(
            "Setup",
            "Code stays in Git. Datasets and models go to a place that your colleagues can reach too.",
        )
        self._choices = choices
        self.options: dict[str, Option] = {}
        group = QButtonGroup(self)
        later: list[QWidget] = []
        for kind in storage.KINDS:
            if kind.is_supported:
                option = Option(kind.title, kind.sentence, _ICONS.get(kind.key, "remote"))
                group.addButton(option.button)
                option.button.toggled.connect(self._choose)
                self.options[kind.key] = option
                self.body.addWidget(option)
            else:
                later.append(_not_yet(kind.title, kind.sentence))
        self._list_later(later)
        self.body.addStretch(1)

    def _list_later(self, later: list[QWidget]) -> None:
        caption = PlainLabel(
            translate(
                "Setup", "Not done yet: DVC knows these kinds too, and Modelkeep leaves them as they are"
            ),
            look="muted",
            size="small",
            wrap=True,
        )
        box = Scroll(translate("Setup", "Kinds that are not done yet"), most=34 * theme.GRID)
        box.content.setSpacing(theme.HALF)
        for one in later:
            box.content.addWidget(one)
        self.body.addSpacing(theme.GRID)
        self.body.addWidget(caption)
        self.body.addWidget(box, 1)

    def enter(self) -> None:
        self.options[self._choices.kind].button.setChecked(True)

    def first(self) -> QRadioButton:
        return self.options[self._choices.kind].button

    def _choose(self) -> None:
        chosen = next((key for key, one in self.options.items() if one.button.isChecked()), None)
        if chosen is not None:
            self._choices.kind = chosen
            self.changed.emit()


def _not_yet(title: str, sentence: str) -> QWidget:
    name = PlainLabel(title)
    name.setFixedWidth(24 * theme.GRID)
    needs = PlainLabel(sentence, look="muted", wrap=True)
    holder = QWidget()
    line_ = row(IconLabel("none", role="faint"), name, needs)
    line_.setStretch(2, 1)
    holder.setLayout(column(line_))
    holder.setAccessibleName(line(f"{title}: {sentence}"))
    return holder
