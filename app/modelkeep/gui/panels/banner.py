"""Notices above the panes that wait for the user's word: an unfinished publish, found secrets, an untrusted project."""

from __future__ import annotations

from PySide6.QtWidgets import QSizePolicy, QWidget

from modelkeep.core.nouns import dataclass
from modelkeep.gui import theme, wording
from modelkeep.gui.actions import ActionSet
from modelkeep.gui.concerns import Concerns
from modelkeep.gui.session import Session
from modelkeep.gui.widgets import IconLabel, PlainLabel, action_button, column, framed, row, tool
from modelkeep.gui.wording import translate


@dataclass(frozen=True)
class Notice:
    """One sentence and the actions that answer it."""

    name: str
    icon: str
    text: str
    actions: tuple[str, ...]


def notices(concerns: Concerns) -> tuple[Notice, ...]:
    """What has to be said, the most urgent first."""
    found = []
    if concerns.unfinished is not None:
        found.append(Notice("unfinished", "warning", concerns.unfinished.text, ("resume", "undo")))
    for text in concerns.half:
        found.append(Notice("half", "warning", text, ("finish-checkout",)))
    if text := _secrets_text(concerns):
        found.append(Notice("secrets", "key", text, ("move-secrets",)))
    if concerns.programs:
        text = translate(
            "Banner",
            "This repository's own settings would start programs. They are held back until you trust it.",
        )
        found.append(Notice("programs", "unsafe", text, ("trust",)))
    if concerns.no_storage:
        text = translate("Banner", "This project has no storage yet: its data is on this machine alone.")
        found.append(Notice("storage", "server", text, ("setup-storage",)))
    return tuple(found)


def _secrets_text(concerns: Concerns) -> str:
    """Where secrets were found, and what that means; "" if there are none."""
    here, past = concerns.secrets.in_files, concerns.past
    said = []
    if here:
        places = _listed([wording.line(one.place) for one in here])
        text = (
            translate("Banner", "A password stands in {places}.")
            if len(here) == 1
            else translate("Banner", "{n} passwords stand in {places}.")
        )
        said.append(text.format(n=wording.number(len(here)), places=places))
        if any(one.in_git for one in here) and not past:
            said.append(translate("Banner", "Git would publish it."))
    if past:
        said.append(
            translate(
                "Banner",
                "The Git history has a password: everyone with the repository can read it. Change it on the server.",
            )
        )
    return " ".join(said)


def _listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`; each once."""
    once = list(dict.fromkeys(names))
    if len(once) < 2:
        return "".join(once)
    return translate("Banner", "{names} and {last}").format(names=", ".join(once[:-1]), last=once[-1])


class BannerPanel(QWidget):
    """The notices that hold now. A closed one stays away until the project is opened again."""

    def __init__(self, session: Session, actions: ActionSet) -> None:
        super().__init__()
        self._session, self._actions = session, actions
        self._closed: set[str] = set()
        self._column = column(spacing=theme.HALF)
        self._column.setContentsMargins(theme.GRID, 0, theme.GRID, theme.GRID)
        self.setLayout(self._column)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        session.opened.connect(self._opened)
        session.closed.connect(self._show)
        session.concerned.connect(self._show)
        self._show()

    def _opened(self) -> None:
        self._closed.clear()
        self._show()

    def _show(self) -> None:
        while (item := self._column.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        shown = [one for one in notices(self._session.concerns) if one.name not in self._closed]
        for notice in shown:
            self._column.addWidget(self._line(notice))
        self.setVisible(bool(shown))

    def _line(self, notice: Notice) -> QWidget:
        label = PlainLabel(notice.text, wrap=True)
        close = tool(translate("Banner", "Not now"), "close")
        close.clicked.connect(lambda: self._close(notice.name))
        buttons = [action_button(self._actions[name]) for name in notice.actions]
        line = row(IconLabel(notice.icon, role="warn", size=18), label, *buttons, close)
        line.setStretchFactor(label, 1)
        frame = framed(line, "banner", (theme.GRID + theme.HALF, theme.HALF, theme.HALF, theme.HALF))
        frame.setAccessibleName(notice.text)
        return frame

    def _close(self, name: str) -> None:
        self._closed.add(name)
        self._show()
