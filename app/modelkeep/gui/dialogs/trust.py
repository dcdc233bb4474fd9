"""Shows the programs a repository's own settings start, and asks whether they may. Read-only until then."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QWidget

from modelkeep.gui import theme
from modelkeep.gui.dialogs.frame import Dialog
from modelkeep.gui.dialogs.pathlist import PathList
from modelkeep.gui.widgets import PlainLabel
from modelkeep.gui.wording import line, translate


class TrustDialog(Dialog):
    """Accepted means trusted. `lines` are config lines and hooks as they stand in the repository."""

    def __init__(self, project: str, lines: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(
            translate("Trust", "Trust this project?"),
            icon="unsafe",
            heading=translate("Trust", "Do you trust {name}?").format(name=line(project)),
            text=translate(
                "Trust",
                "Settings of this repository start programs on this computer when Git changes something. Whoever made the repository chose them.",
            ),
            parent=parent,
            width=600,
        )
        caption = PlainLabel(translate("Trust", "&Programs it would start"))
        self.lines = PathList(lines, translate("Trust", "Programs it would start"))
        self.lines.setFont(theme.mono())
        caption.setBuddy(self.lines)
        self.body.addWidget(caption)
        self.body.addWidget(self.lines, 1)
        self.notice.say(
            "info",
            translate("Trust", "Without trust everything can be looked at, and nothing is changed."),
        )
        self.proceed = self.primary(translate("Trust", "Trust this project"), look="danger", default=False)
        self.cancel.setText(translate("Trust", "Look only"))
        self.cancel.setFocus()
