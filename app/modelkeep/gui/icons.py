"""Icons by meaning, painted from one family (Phosphor, through qtawesome). Knows no colours of its own.

An icon asks for its colour each time it is painted, so a change of theme needs no new icons.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import qtawesome
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QIconEngine, QPainter, QPixmap
from qtawesome.iconic_font import IconicFont

#: What is meant -> the glyph that shows it. Callers name the meaning, never the glyph.
GLYPHS = {
    # nouns
    "artifact": "ph.package",
    "branch": "ph.git-branch",
    "cache": "ph.hard-drive",
    "commit": "ph.git-commit",
    "dataset": "ph.database",
    "demo": "ph.rocket-launch",
    "file": "ph.file",
    "folder": "ph.folder",
    "image": "ph.image",
    "key": "ph.key",
    "metrics": "ph.chart-line-up",
    "model": "ph.brain",
    "project": "ph.stack",
    "remote": "ph.cloud",
    "remote-branch": "ph.cloud",
    "server": "ph.hard-drives",
    "table": "ph.table",
    "tag": "ph.tag",
    "text": "ph.file-text",
    "user": "ph.user",
    "workspace": "ph.laptop",
    # verbs
    "activity": "ph.list-bullets",
    "add": "ph.plus",
    "cancel": "ph.x",
    "checkout": "ph.arrow-square-down",
    "clear": "ph.x-circle",
    "clone": "ph.git-fork",
    "close": "ph.x",
    "compare": "ph.columns",
    "copy": "ph.copy",
    "export": "ph.export",
    "fetch": "ph.cloud-arrow-down",
    "filter": "ph.funnel",
    "history": "ph.clock-counter-clockwise",
    "menu": "ph.list",
    "new": "ph.folder-plus",
    "open": "ph.folder-open",
    "palette": "ph.command",
    "preferences": "ph.gear",
    "publish": "ph.rocket-launch",
    "pull": "ph.cloud-arrow-down",
    "push": "ph.cloud-arrow-up",
    "quit": "ph.sign-out",
    "refresh": "ph.arrows-clockwise",
    "reset": "ph.layout",
    "restore": "ph.arrow-counter-clockwise",
    "retry": "ph.arrow-clockwise",
    "search": "ph.magnifying-glass",
    "terminal": "ph.terminal",
    "theme": "ph.circle-half",
    "trash": "ph.trash",
    # states
    "added": "ph.plus",
    "ahead": "ph.arrow-up",
    "behind": "ph.arrow-down",
    "both": "ph.check-circle",
    "busy": "ph.hourglass",
    "changed": "ph.pencil-simple",
    "collapse": "ph.caret-down",
    "current": "ph.caret-right",
    "done": "ph.check-circle",
    "error": "ph.x-circle",
    "expand": "ph.caret-up",
    "info": "ph.info",
    "later": "ph.circle",
    "locked": "ph.lock-key",
    "missing": "ph.x-circle",
    "none": "ph.minus",
    "only-here": "ph.laptop",
    "on-remote": "ph.cloud",
    "question": "ph.question",
    "queued": "ph.hourglass",
    "removed": "ph.minus",
    "renamed": "ph.arrow-right",
    "running": "ph.spinner",
    "touch": "ph.fingerprint",
    "unknown": "ph.circle-dashed",
    "unsafe": "ph.shield-warning",
    "warning": "ph.warning",
}

Tint = Callable[[QIcon.Mode], QColor]


@cache
def _font() -> IconicFont:
    """The one family we use: qtawesome's own functions would load all of its twelve, and look at each again
    for every icon that is painted."""
    return IconicFont(*(font for font in qtawesome._BUNDLED_FONTS if font[0] == "ph"))


def _glyph(name: str) -> str:
    return str(_font().charmap["ph"][name.removeprefix("ph.")])


class _Glyph(QIconEngine):
    """Paints one glyph of the icon font in the colour that `tint` names at that moment."""

    def __init__(self, glyph: str, tint: Tint) -> None:
        super().__init__()
        self._glyph, self._tint = glyph, tint

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        painter.save()
        font = _font().font("ph", max(1, round(rect.height() * 0.94)))
        painter.setFont(font)
        painter.setPen(self._tint(mode))
        painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), _glyph(self._glyph))
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:
        pixmap = QPixmap(size * scale)  # Qt gives the size without the scale of the screen, and sets it after
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(QPoint(0, 0), pixmap.size()), mode, state)
        painter.end()
        return pixmap

    def clone(self) -> QIconEngine:
        return _Glyph(self._glyph, self._tint)


def make_icon(meaning: str, tint: Tint) -> QIcon:
    """The icon that shows `meaning`, coloured by `tint` whenever it is painted; KeyError if unknown."""
    return QIcon(_Glyph(GLYPHS[meaning], tint))
