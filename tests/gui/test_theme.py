"""Both themes can be read, icons exist and follow a switch, untrusted text stays text."""

from __future__ import annotations

import pytest
import qtawesome
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPalette

from modelkeep.gui import icons, signs, theme, wording
from modelkeep.gui.theme import DARK, LIGHT, contrast
from modelkeep.gui.widgets import ElidedLabel, PlainLabel

SURFACES = ("window", "base", "raised", "hover", "selection")
TEXTS = ("text", "muted", "link", "good", "warn", "bad", "moved")
HOSTILE = ["<img src='file:///etc/passwd'>", "<b>bold</b>", "a\u202egnp.exe", "x\x1b[31m", "&lt;&amp;"]


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(colours):
    def ratio(first: str, second: str) -> float:
        return contrast(getattr(colours, first), getattr(colours, second))

    weak = {(t, s): ratio(t, s) for t in TEXTS for s in SURFACES if ratio(t, s) < 4.5}
    weak |= {("icon", s): ratio("icon", s) for s in SURFACES if ratio("icon", s) < 3}
    weak |= {("accent", s): ratio("accent", s) for s in SURFACES if ratio("accent", s) < 3}
    for text, surface in (("on_accent", "accent"), ("on_accent", "accent_hover"), ("on_tooltip", "tooltip")):
        if ratio(text, surface) < 4.5:
            weak[text, surface] = ratio(text, surface)
    assert not weak


def test_contrast_is_the_formula_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("meaning", icons.GLYPHS)
def test_every_icon_exists_and_paints(qtbot, meaning):
    assert qtawesome.charmap(icons.GLYPHS[meaning])
    image = theme.icon(meaning).pixmap(QSize(16, 16)).toImage()
    assert any(image.pixelColor(x, y).alpha() > 60 for x in range(16) for y in range(16))


def test_a_switch_of_theme_is_live(qapp, qtbot):
    def darkest(icon) -> int:
        image = icon.pixmap(QSize(32, 32)).toImage()
        inked = [image.pixelColor(x, y) for x in range(32) for y in range(32)]
        return max((c.lightness() for c in inked if c.alpha() > 250), default=-1)

    icon = theme.icon("publish")
    before = darkest(icon)
    with qtbot.waitSignal(theme.notifier().changed):
        theme.choose("dark")
    assert qapp.palette().color(QPalette.ColorRole.Window).name() == DARK.window
    assert darkest(icon) > before + 60
    theme.choose("system")
    assert theme.is_dark() == (qapp.styleHints().colorScheme() is Qt.ColorScheme.Dark)


@pytest.mark.parametrize("text", HOSTILE)
def test_labels_show_hostile_text_as_text(qtbot, text):
    for label in (PlainLabel(text), ElidedLabel(text)):
        qtbot.addWidget(label)
        assert label.textFormat() is Qt.TextFormat.PlainText
        assert "\u202e" not in label.text() and "\x1b" not in label.text()


@pytest.mark.parametrize("text", HOSTILE)
def test_tooltips_are_always_escaped(text):
    shown = wording.tip(text)
    assert shown.startswith("<qt>") and shown.endswith("</qt>")
    assert "<" not in shown[4:-5].replace("<br>", "")


def test_menu_texts_make_no_shortcuts():
    assert wording.menu_text("R&D\n") == "R&&D⏎"


def test_sizes_and_times_in_words():
    assert wording.size(None) == "—"
    assert wording.size(1_500_000) == "1.5 MB"
    assert wording.duration(75) == "1 min 15 s"
    assert wording.duration(3700) == "1 h 1 min"
    assert wording.outputs(1) == "1 output" and wording.outputs(3) == "3 outputs"


def test_no_state_is_told_by_colour_alone():
    from modelkeep.core.values import Presence

    for mark in ("added", "changed", "removed", "renamed"):
        assert signs.change(mark).word[0] in "+~−→"
    assert signs.where(Presence()).word and signs.where(Presence()).icon


def test_icons_are_sharp_on_a_screen_of_twice_the_density() -> None:
    picture = theme.icon("publish").pixmap(QSize(16, 16), 2.0)
    assert picture.size() == QSize(32, 32)
    assert picture.devicePixelRatio() == 2.0
