"""The frame of a wizard: the list of steps at the left, one page, Back and Next. Knows no page by name."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialogButtonBox, QFrame, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from modelkeep.gui import theme
from modelkeep.gui.dialogs.frame import allow, make_default
from modelkeep.gui.dialogs.planview import empty
from modelkeep.gui.dialogs.wizard.page import Page
from modelkeep.gui.dialogs.working import WorkingDialog
from modelkeep.gui.jobs import Jobs
from modelkeep.gui.widgets import ElidedLabel, IconLabel, button, row
from modelkeep.gui.wording import line, translate

_ROLE = QDialogButtonBox.ButtonRole
_SIZE = QSize(112 * theme.GRID, 82 * theme.GRID)


class Trail(QFrame):
    """The steps in their order: those behind with a check, the one at hand in bold, those ahead faint."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("trail")
        self.setFixedWidth(22 * theme.GRID)
        self._lines = QVBoxLayout(self)
        self._lines.setContentsMargins(2 * theme.GRID, 3 * theme.GRID, theme.GRID, 2 * theme.GRID)
        self._lines.setSpacing(theme.GRID + theme.HALF)
        self.setAccessibleName(translate("Wizard", "Steps"))

    def show_steps(self, names: Sequence[str], current: int) -> None:
        """Show the steps with the one at hand."""
        empty(self._lines)
        for place, name in enumerate(names):
            self._lines.addWidget(_step(name, place - current))
        self._lines.addStretch(1)
        text = translate("Wizard", "Step {n} of {all}: {name}")
        self.setAccessibleDescription(text.format(n=current + 1, all=len(names), name=names[current]))


def _step(name: str, distance: int) -> QWidget:
    icon, role = (
        ("done", "good") if distance < 0 else ("current", "accent") if not distance else ("later", "faint")
    )
    words = ElidedLabel(name, look="" if distance <= 0 else "muted", bold=not distance)
    holder = QWidget()
    both = row(IconLabel(icon, role=role), words)
    both.setStretch(1, 1)
    holder.setLayout(both)
    holder.setAccessibleName(name)
    return holder


class WizardDialog(WorkingDialog):
    """Shows `pages` one after another. Esc first ends what a page is doing, then closes; Enter goes on."""

    def __init__(
        self, title: str, pages: Sequence[Page], running: Jobs, *, icon: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(title, icon=icon, parent=parent, width=_SIZE.width())
        self._jobs = running
        self._pages = list(pages)
        self._way: list[Page] = []
        self._title = title
        self._stack = QStackedWidget()
        for page in pages:
            self._stack.addWidget(page)
            page.changed.connect(self._check)
            page.turned.connect(self._take_focus)
        self.body.addWidget(self._stack, 1)
        self._add_buttons()
        for page in pages:
            for one in page.extras():
                self._extras.addWidget(one)
                one.hide()
        self.setSizeGripEnabled(True)
        self.resize(self.sizeHint())

    def _outermost(self) -> QVBoxLayout:
        beside = QHBoxLayout(self)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(0)
        self.trail = Trail()
        beside.addWidget(self.trail)
        main = QVBoxLayout()
        beside.addLayout(main, 1)
        return main

    def _add_buttons(self) -> None:
        self.back = button(translate("Wizard", "&Back"))
        self.proceed = button("", look="accent")
        self.cancel = button(translate("Wizard", "Cancel"))
        self.buttons.addButton(self.cancel, _ROLE.RejectRole)
        self.buttons.addButton(self.proceed, _ROLE.AcceptRole)
        self._foot.insertWidget(self._foot.count() - 1, self.back)
        self.back.clicked.connect(self.go_back)
        self.proceed.clicked.connect(self.go_on)
        self.buttons.rejected.connect(self.reject)
        make_default(self.proceed)

    def sizeHint(self) -> QSize:
        return _SIZE.boundedTo(self.screen().availableGeometry().size() * 0.94)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._take_focus()

    # -- the way through -------------------------------------------------------------------------------

    @property
    def page(self) -> Page:
        """The page at hand."""
        return self._way[-1]

    def pages(self) -> Sequence[Page]:
        """The pages that are asked, in order; may depend on what was answered."""
        return self._pages

    def begin(self, page: Page) -> None:
        """Show `page`; Back leads to those before it."""
        pages = self.pages()
        self._way = list(pages[: pages.index(page) + 1])
        self._show_page()

    def go_on(self) -> None:
        """To the next page, if this one is answered."""
        if self.is_working or self.page.problem():
            return
        self.notice.say("", "")
        page = self.page
        page.leave(lambda: self._follow(page))

    def _follow(self, page: Page) -> None:
        if page is not self.page:
            return  # the user went another way while it worked
        pages = self.pages()
        place = pages.index(page) + 1
        if place == len(pages):
            self.accept()
            return
        self._way.append(pages[place])
        self._show_page()

    def go_back(self) -> None:
        """To the page before; what was answered stays."""
        if self.is_working or len(self._way) < 2:
            return
        self.page.stop()
        self._way.pop()
        self.notice.say("", "")
        self._show_page()

    def reject(self) -> None:
        if not self.is_working and self.page.stop():
            return
        super().reject()

    # -- showing ---------------------------------------------------------------------------------------

    def _show_page(self) -> None:
        page = self.page
        title = translate("Wizard", "{what}: {step}").format(what=self._title, step=page.title)
        self.setWindowTitle(line(title))
        self.heading.setText(page.heading)
        self.explain(page.text)
        self._stack.setCurrentWidget(page)
        pages = self.pages()
        self.trail.show_steps([one.title for one in pages], pages.index(page))
        for one in self._pages:
            for extra in one.extras():
                extra.setVisible(one is page)
        page.enter()
        self._check()
        self._take_focus()

    def _check(self) -> None:
        if not self._way or self.is_working:
            return
        self.explain(self.page.text)
        self.heading.setText(self.page.heading)
        self.proceed.setText(self.page.next_text())
        allow(self.proceed, self.page.problem())
        allow(self.back, "" if self.may_go_back() else translate("Wizard", "This is the first step"))

    def may_go_back(self) -> bool:
        """Whether there is a page before this one."""
        return len(self._way) > 1

    def lock(self, locked: bool) -> None:
        super().lock(locked)
        self.back.setEnabled(not locked)
        if not locked:
            self._check()

    def _take_focus(self) -> None:
        first = (self.page.first() if self._way else None) or self.proceed
        (first if first.isEnabled() else self.cancel).setFocus(Qt.FocusReason.TabFocusReason)
