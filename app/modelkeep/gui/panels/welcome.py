"""What the window shows while no project is open: how to begin, and the projects opened lately."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from modelkeep.gui import theme, wording
from modelkeep.gui.actions import ActionSet
from modelkeep.gui.session import Session
from modelkeep.gui.widgets import PlainLabel, button, column, row
from modelkeep.gui.wording import translate
from modelkeep.resources import resource

_CENTER = Qt.AlignmentFlag.AlignHCenter


class WelcomePanel(QWidget):
    """The start page."""

    def __init__(self, session: Session, actions: ActionSet) -> None:
        super().__init__()
        self._session, self._actions = session, actions
        self._recent = column(spacing=0)
        self._heading = PlainLabel(translate("Welcome", "Opened lately"), look="muted", size="small")
        picture = QLabel()
        picture.setPixmap(QIcon(str(resource("icons/modelkeep.svg"))).pixmap(72, 72))
        picture.setAccessibleName("Modelkeep")
        title = PlainLabel(translate("Welcome", "Modelkeep"), size="large", bold=True)
        text = PlainLabel(
            translate(
                "Welcome",
                "See every version of your data and models, publish them safely, bring any of them back.",
            ),
            look="muted",
            wrap=True,
        )
        text.setAlignment(_CENTER)
        text.setFixedWidth(theme.GRID * 48)
        text.setMinimumHeight(text.heightForWidth(theme.GRID * 48))
        self.first, *others = (self._button(name) for name in ("open", "clone", "new"))
        self.first.setProperty("look", "accent")
        self.first.setIcon(theme.icon("open", "on_accent"))
        demo = self._button("demo")
        demo.setProperty("look", "link")
        layout = column(None, spacing=theme.GRID)
        layout.addWidget(picture, 0, _CENTER)
        layout.addWidget(title, 0, _CENTER)
        layout.addWidget(text, 0, _CENTER)
        layout.addSpacing(theme.GRID)
        layout.addLayout(row(None, self.first, *others, None))
        guide = self._button("setup-storage")
        guide.setProperty("look", "link")
        guide.setIcon(theme.icon("server", "link"))
        layout.addLayout(row(None, guide, demo, None, spacing=2 * theme.GRID))
        layout.addSpacing(theme.GRID * 2)
        layout.addWidget(self._heading, 0, _CENTER)
        layout.addLayout(self._recent)
        layout.addStretch(2)
        self.setLayout(layout)
        self.refresh()
        session.closed.connect(self.refresh)

    def _button(self, name: str) -> QPushButton:
        action = self._actions[name]
        result = button(action.text())
        result.setIcon(action.icon())
        result.setToolTip(action.toolTip())
        result.clicked.connect(action.trigger)
        return result

    def refresh(self) -> None:
        """List the projects opened lately that still exist."""
        while (item := self._recent.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        folders = [folder for folder in self._session.remembered.recent if folder.is_dir()][:6]
        self._heading.setVisible(bool(folders))
        for folder in folders:
            self._recent.addWidget(self._entry(folder), 0, _CENTER)

    def _entry(self, folder: Path) -> QPushButton:
        result = button(wording.menu_text(folder.name), "project", look="link", tip=str(folder))
        result.setAccessibleName(translate("Welcome", "Open {name}").format(name=wording.line(folder.name)))
        result.clicked.connect(lambda: self._session.open(folder))
        return result
