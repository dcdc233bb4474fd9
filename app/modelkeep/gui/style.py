"""The style sheet over Fusion: flat surfaces, hairlines, quiet hover. Knows colours only by their purpose.

Kept short on purpose: what the palette can say is said there, so that both themes need one text.
"""

from __future__ import annotations

from string import Template
from typing import Any

from modelkeep.resources import resource

_SHEET = Template("""
QMainWindow, QDialog { background: $window; }
QDialog#palette { background: $raised; border: 1px solid $border; }
QToolTip { background: $tooltip; color: $on_tooltip; border: 0; padding: 4px 8px; }

QFrame#hairline { background: $hairline; border: 0; }
QFrame#pane, QStackedWidget#pane { background: $base; border: 0; }
QFrame#header, QFrame#bar { background: $window; border: 0; }
QFrame#banner { background: $raised; border: 1px solid $border; border-radius: 6px; }
QFrame#trail { background: $base; border: 0; border-right: 1px solid $hairline; }
QFrame#option { background: $raised; border: 1px solid $hairline; border-radius: 6px; }
QFrame#option:hover { border-color: $border; }
QFrame#option[look="chosen"] { border-color: $muted; }
QFrame#option[look="held"] { border-color: $accent; }
QFrame#step { background: transparent; border: 1px solid transparent; border-radius: 6px; }
QFrame#step[look="now"] { background: $raised; border-color: $hairline; }
QFrame#step[look="bad"] { background: $raised; border-color: $bad; }
QFrame#drop { background: $raised; border: 2px dashed $accent; border-radius: 8px; }
QFrame#chip { background: $hover; border: 0; border-radius: 4px; }

QLabel[look="muted"] { color: $muted; }
QLabel[look="good"] { color: $good; }
QLabel[look="warn"] { color: $warn; }
QLabel[look="bad"] { color: $bad; }

QAbstractItemView { background: $base; border: 0; outline: 0; selection-background-color: $selection;
    selection-color: $text; show-decoration-selected: 0; }
QAbstractItemView::item { border: 0; padding: 0 4px; }
QListView::item:hover:!selected { background: $hover; }
QAbstractItemView::item:selected { background: $selection; color: $text; }
QTreeView::branch { background: transparent; }
QHeaderView { background: $base; border: 0; }
QHeaderView::section { background: $base; color: $muted; border: 0; border-bottom: 1px solid $hairline;
    padding: 0 8px; height: 27px; }
QHeaderView::section:hover { color: $text; }
QSplitter::handle { background: $hairline; }
QSplitter::handle:horizontal { width: 1px; }
QSplitter::handle:vertical { height: 1px; }

QPushButton { background: $raised; color: $text; border: 1px solid $border; border-radius: 5px;
    padding: 0 12px; min-height: 26px; outline: 0; }
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $selection; }
QPushButton:focus { border-color: $accent; }
QPushButton:disabled { color: $faint; border-color: $hairline; }
QPushButton[look="accent"] { background: $accent; color: $on_accent; border-color: $accent; font-weight: 600; }
QPushButton[look="accent"]:hover { background: $accent_hover; border-color: $accent_hover; }
QPushButton[look="accent"]:focus { border-color: $text; }
QPushButton[look="accent"]:disabled { background: $hover; color: $faint; border-color: $hairline; }
QPushButton[look="danger"] { color: $bad; }
QPushButton[look="link"] { background: transparent; border: 1px solid transparent; color: $link; padding: 0 2px;
    min-height: 20px; }
QPushButton[look="link"]:hover { text-decoration: underline; }
QPushButton[look="link"]:focus { border-color: $accent; }

QPushButton[look="copy"] { background: transparent; border: 1px solid transparent; color: $link; padding: 0;
    min-height: 20px; }
QPushButton[look="copy"]:hover { text-decoration: underline; }
QPushButton[look="copy"]:focus { border-color: $accent; }

QToolButton { background: transparent; color: $text; border: 1px solid transparent; border-radius: 5px;
    padding: 3px 8px; min-height: 20px; outline: 0; }
QToolButton:hover { background: $hover; }
QToolButton:pressed, QToolButton:checked { background: $selection; }
QToolButton:focus { border-color: $accent; }
QToolButton:disabled { color: $faint; }
QToolButton::menu-indicator { image: none; width: 0; }
QToolButton[look="menu"] { padding-right: 8px; }
QToolButton[look="search"] { background: $base; color: $muted; border-color: $border; padding: 3px 8px; }
QToolButton[look="search"]:hover { border-color: $muted; }
QToolButton[look="row"] { padding: 3px 2px; }
QToolButton[look="small"] { padding: 2px; min-height: 18px; }
QToolButton[look="accent"] { background: $accent; color: $on_accent; border-color: $accent; font-weight: 600;
    padding: 3px 12px; }
QToolButton[look="accent"]:hover { background: $accent_hover; border-color: $accent_hover; }
QToolButton[look="accent"]:focus { border-color: $text; }
QToolButton[look="accent"]:disabled { background: $hover; color: $faint; border-color: $hairline; }

QLineEdit, QPlainTextEdit, QTextEdit, QComboBox, QSpinBox { background: $base; color: $text;
    border: 1px solid $border; border-radius: 5px; selection-background-color: $selection; selection-color: $text; }
QLineEdit, QSpinBox { padding: 0 8px; min-height: 26px; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QComboBox:focus { border-color: $accent; }
QLineEdit QToolButton { border: 0; padding: 0; min-height: 0; background: transparent; }
QLineEdit:disabled { color: $faint; }
QLineEdit[look="filter"] { background: $window; border-color: transparent; }
QLineEdit[look="filter"]:focus { background: $base; border-color: $accent; }
QComboBox { padding: 0 8px; min-height: 26px; }
QComboBox::drop-down { border: 0; width: 20px; }
QComboBox::down-arrow { image: url("$images/arrow-$scheme.svg"); width: 16px; height: 16px; }
QPlainTextEdit[look="preview"] { border: 0; border-radius: 0; background: $base; }

QMenu { background: $raised; border: 1px solid $border; padding: 4px 0; }
QMenu::item { padding: 5px 24px 5px 12px; background: transparent; }
QMenu::item:selected { background: $selection; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $hairline; margin: 4px 0; }
QMenu::icon { padding-left: 12px; }

QCheckBox, QRadioButton { spacing: 8px; }
QCheckBox::indicator, QAbstractItemView::indicator, QMenu::indicator { width: 14px; height: 14px;
    border: 1px solid $muted; border-radius: 3px; background: $base; }
QMenu::indicator { margin-left: 8px; }
QCheckBox::indicator:checked, QAbstractItemView::indicator:checked, QMenu::indicator:checked {
    background: $accent; border-color: $accent; image: url("$images/check-$scheme.svg"); }
QRadioButton::indicator { width: 14px; height: 14px; border: 1px solid $muted; border-radius: 8px; background: $base; }
QRadioButton::indicator:checked { width: 6px; height: 6px; border: 5px solid $accent; background: $on_accent; }
QCheckBox::indicator:hover, QRadioButton::indicator:unchecked:hover { border-color: $accent; }
QCheckBox:focus, QRadioButton:focus { color: $link; }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border-color: $border; background: $window; }
QCheckBox::indicator:checked:disabled { background: $faint; border-color: $faint; }
QCheckBox:disabled, QRadioButton:disabled { color: $faint; }

QTabWidget::pane { border: 0; }
QTabBar { background: $window; }
QTabBar::tab { background: transparent; color: $muted; padding: 6px 12px; border: 0;
    border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: $text; border-bottom-color: $text; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:focus { color: $link; }

QProgressBar { background: $hairline; border: 0; border-radius: 3px; max-height: 6px; min-height: 6px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }

QScrollBar:vertical { background: transparent; width: 12px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; }
QScrollBar::handle { background: $border; border-radius: 3px; margin: 3px; min-height: 28px; min-width: 28px; }
QScrollBar::handle:hover { background: $muted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QScrollArea { border: 1px solid transparent; background: transparent; }
QScrollArea:focus { border-color: $accent; }
QStatusBar::item { border: 0; }
""")


def sheet(colours: Any, scheme: str) -> str:
    """The style sheet for `colours`, an object with one attribute per purpose. `scheme` is "light" or "dark":
    the marks in boxes are pictures, because a style sheet cannot tint one."""
    images = resource("icons/check-light.svg").parent.as_posix()
    return _SHEET.substitute(vars(colours), images=images, scheme=scheme)
