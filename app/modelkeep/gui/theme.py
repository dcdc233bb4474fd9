"""The look in one place: colours for light and dark, the grid, three font sizes, icons by meaning.

Knows nothing of projects or panels. The operating system's choice of light or dark is followed live unless
the user chose one of them. Everything here belongs to the GUI thread.
"""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QPalette
from PySide6.QtWidgets import QApplication

from modelkeep.core.nouns import dataclass
from modelkeep.gui import icons, style

#: Distances in pixels: everything is a multiple of the grid, or half of it.
GRID = 8
HALF = 4
ROW = 28
ICON = QSize(16, 16)
CHOICES = ("system", "light", "dark")


@dataclass(frozen=True)
class Colours:
    """The colours of one theme by what they are for. A test holds their contrast."""

    window: str  # around the panes
    base: str  # lists, fields, previews
    raised: str  # buttons, menus, banners
    hover: str
    hairline: str  # decoration only
    border: str  # edges of fields and buttons
    text: str
    muted: str  # second line, dates, units
    faint: str  # disabled
    icon: str
    accent: str  # the one thing to do next
    accent_hover: str
    on_accent: str
    selection: str
    link: str
    good: str
    warn: str
    bad: str
    moved: str
    tooltip: str
    on_tooltip: str


LIGHT = Colours(
    window="#f5f6f8",
    base="#ffffff",
    raised="#ffffff",
    hover="#eceff3",
    hairline="#e2e5ea",
    border="#c9ced6",
    text="#1b2028",
    muted="#566070",
    faint="#9aa2ae",
    icon="#4d5766",
    accent="#1f5fd6",
    accent_hover="#194fb5",
    on_accent="#ffffff",
    selection="#dbe7fd",
    link="#1a55c2",
    good="#17713a",
    warn="#8a5300",
    bad="#b3231b",
    moved="#6a3fa6",
    tooltip="#262c36",
    on_tooltip="#f4f6f9",
)

DARK = Colours(
    window="#1b1e24",
    base="#15171c",
    raised="#262a32",
    hover="#2c313a",
    hairline="#2d323b",
    border="#454c58",
    text="#e7eaef",
    muted="#a4adba",
    faint="#6a7280",
    icon="#b3bbc8",
    accent="#7aa7ff",
    accent_hover="#97bbff",
    on_accent="#0d1626",
    selection="#263a5e",
    link="#8db4ff",
    good="#63c98a",
    warn="#e5b062",
    bad="#ff8f86",
    moved="#c4a4f5",
    tooltip="#e7eaef",
    on_tooltip="#15171c",
)


class _Theme(QObject):
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.choice = "system"
        self.colours = LIGHT


@cache
def notifier() -> _Theme:
    """The object whose `changed` signal tells that colours are different now."""
    return _Theme()


def install(app: QApplication, choice: str = "system") -> None:
    """Give the application its style, palette and style sheet, and follow the system from now on."""
    app.setStyle("Fusion")
    app.styleHints().colorSchemeChanged.connect(_follow)
    choose(choice)


def choose(choice: str) -> None:
    """Switch to "light", "dark" or "system" (the default for anything else) at once."""
    notifier().choice = choice if choice in CHOICES else "system"
    _follow()


def _follow() -> None:
    theme = notifier()
    scheme = QApplication.styleHints().colorScheme()
    dark = theme.choice == "dark" or (theme.choice == "system" and scheme == Qt.ColorScheme.Dark)
    theme.colours = DARK if dark else LIGHT
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    app.setPalette(palette(theme.colours))
    app.setStyleSheet(style.sheet(theme.colours, "dark" if dark else "light"))
    theme.changed.emit()


def colours() -> Colours:
    """The colours that hold now."""
    return notifier().colours


def colour(role: str) -> QColor:
    """One colour by the name of its purpose, such as "muted"."""
    return QColor(getattr(notifier().colours, role))


def is_dark() -> bool:
    """Whether the dark colours hold."""
    return notifier().colours is DARK


@cache
def icon(meaning: str, role: str = "icon") -> QIcon:
    """The icon for `meaning` in the colour of `role`; it follows every change of theme by itself."""
    assert role in Colours.__annotations__

    def tint(mode: QIcon.Mode) -> QColor:
        return colour("faint" if mode == QIcon.Mode.Disabled else role)

    return icons.make_icon(meaning, tint)


def font(size: str = "normal", *, bold: bool = False) -> QFont:
    """The system's font in one of three sizes: "small", "normal", "large"."""
    result = QFont(QApplication.font())
    factor = {"small": 0.9, "normal": 1.0, "large": 1.4}[size]
    if result.pointSizeF() > 0:
        result.setPointSizeF(result.pointSizeF() * factor)
    else:
        result.setPixelSize(round(result.pixelSize() * factor))
    if bold:
        result.setWeight(QFont.Weight.DemiBold)
    return result


def mono() -> QFont:
    """The system's fixed-width font, for hashes and commands."""
    result = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    result.setPointSizeF(max(6.0, QApplication.font().pointSizeF()))
    return result


def palette(c: Colours) -> QPalette:
    """The Qt palette made of `c`, for all that Fusion paints itself."""
    roles = QPalette.ColorRole
    result = QPalette()
    for role, value in {
        roles.Window: c.window,
        roles.WindowText: c.text,
        roles.Base: c.base,
        roles.AlternateBase: c.window,
        roles.Text: c.text,
        roles.Button: c.raised,
        roles.ButtonText: c.text,
        roles.BrightText: c.bad,
        roles.Light: c.raised,
        roles.Midlight: c.hairline,
        roles.Mid: c.border,
        roles.Dark: c.border,
        roles.Shadow: c.border,
        roles.Highlight: c.selection,
        roles.HighlightedText: c.text,
        roles.Link: c.link,
        roles.LinkVisited: c.link,
        roles.ToolTipBase: c.tooltip,
        roles.ToolTipText: c.on_tooltip,
        roles.PlaceholderText: c.muted,
        roles.Accent: c.accent,
    }.items():
        result.setColor(role, QColor(value))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, role, QColor(c.faint))
    return result


def contrast(first: str, second: str) -> float:
    """The WCAG 2 contrast ratio of two colours, 1.0 to 21.0."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(value: str) -> float:
    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4

    shade = QColor(value)
    red, green, blue = linear(shade.redF()), linear(shade.greenF()), linear(shade.blueF())
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
