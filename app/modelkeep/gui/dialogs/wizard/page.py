"""One page of a wizard: what it asks, whether it is answered, and what happens between it and the next."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFormLayout, QPushButton, QWidget

from modelkeep.gui import theme
from modelkeep.gui.widgets import PlainLabel, column
from modelkeep.gui.wording import translate


class Page(QWidget):
    """Shown between a heading and the buttons. `changed` means: look at `problem` and the buttons again."""

    changed = Signal()
    turned = Signal()  # what it was doing is over: the focus goes to `first` again
    title = ""  # its name in the list of steps
    heading = ""
    text = ""

    def __init__(self) -> None:
        super().__init__()
        self.body = column(spacing=theme.GRID)
        self.setLayout(self.body)

    def enter(self) -> None:
        """It is shown now."""

    def problem(self) -> str:
        """Why one cannot go on yet, "" if one can."""
        return ""

    def leave(self, go_on: Callable[[], None]) -> None:
        """The user wants to go on: do what belongs between, then call `go_on`."""
        go_on()

    def stop(self) -> bool:
        """The user pressed Esc or Cancel: end work of this page, if there is any, and say that there was."""
        return False

    def first(self) -> QWidget | None:
        """What gets the focus; None is the button that goes on."""
        return None

    def next_text(self) -> str:
        """The words on the button that goes on."""
        return translate("Wizard", "&Next")

    def extras(self) -> tuple[QPushButton, ...]:
        """Buttons beside the point, shown at the left while this page is."""
        return ()

    def form(self) -> QFormLayout:
        """A block of labelled fields at the end of the page."""
        form = QFormLayout()
        form.setHorizontalSpacing(2 * theme.GRID)
        form.setVerticalSpacing(theme.GRID)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.body.addLayout(form)
        return form


def remark(text: str) -> PlainLabel:
    """A muted sentence that wraps."""
    return PlainLabel(text, look="muted", wrap=True)


def heading(text: str) -> PlainLabel:
    """A caption over a group of choices."""
    return PlainLabel(text, bold=True, wrap=True)
