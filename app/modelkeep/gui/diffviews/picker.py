"""Chooses a version in Compare. Knows versions and signs, no session."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QComboBox, QSizePolicy, QStyle, QStyleOptionComboBox, QStylePainter

from modelkeep.core.values import WORKSPACE, Version, VersionList
from modelkeep.gui import signs, theme, wording


class VersionPicker(QComboBox):
    """Chooses a version; typing jumps to a name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setIconSize(theme.ICON)
        self.setMaxVisibleItems(16)
        self.setMinimumContentsLength(12)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.view().setTextElideMode(Qt.TextElideMode.ElideMiddle)

    def list_versions(self, listed: VersionList) -> None:
        """Offer the workspace and all versions; the choice stays if it still exists."""
        key = self.key()
        self.blockSignals(True)
        self.clear()
        for version in (WORKSPACE, *listed.all()):
            name = wording.line(signs.version_name(version))
            self.addItem(theme.icon(signs.version_icon(version)), name, version)
            self.setItemData(
                self.count() - 1, wording.tip(version.subject or name), Qt.ItemDataRole.ToolTipRole
            )
        self.choose(key)
        self.blockSignals(False)

    def choose(self, key: str) -> None:
        """Choose by `Version.key`; an unknown one leaves the first."""
        keys = [self.itemData(place).key for place in range(self.count())]
        self.setCurrentIndex(keys.index(key) if key in keys else 0 if keys else -1)

    def key(self) -> str:
        """The key of the chosen version, "" while nothing is listed."""
        version = self.version()
        return version.key if version else ""

    def version(self) -> Version | None:
        """The chosen version."""
        found = self.currentData()
        return found if isinstance(found, Version) else None

    def paintEvent(self, event: QPaintEvent) -> None:
        """As Qt does, but a long name is shortened instead of cut off."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        field = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        room = field.width() - self.iconSize().width() - 2 * theme.GRID
        option.currentText = self.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideMiddle, room
        )
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()

    def sizeHint(self) -> QSize:
        return QSize(28 * theme.GRID, super().sizeHint().height())
