"""Two pictures side by side, at the same scale. They were decoded in a job; here they are only painted."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from modelkeep.gui import theme
from modelkeep.gui.widgets import PlainLabel, column, row
from modelkeep.gui.wording import translate


class Canvas(QWidget):
    """One picture, as large as the room allows, never larger than eight times its size; or a reason."""

    def __init__(self) -> None:
        super().__init__()
        self._image: QImage | None = None
        self.setMinimumSize(8 * theme.GRID, 8 * theme.GRID)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_image(self, image: QImage | None, name: str) -> None:
        """Show a picture or nothing."""
        self._image = image
        self.setAccessibleName(name)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(30 * theme.GRID, 24 * theme.GRID)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._image is None:
            painter.setPen(theme.colour("muted"))
            painter.drawText(
                self.rect(),
                int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap),
                self.accessibleName(),
            )
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._image.width() > 64)
            painter.drawImage(self._place(self._image), self._image)
        painter.end()

    def _place(self, image: QImage) -> QRect:
        size = image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        if size.width() > 8 * image.width():
            size = image.size() * 8
        place = QRect(0, 0, size.width(), size.height())
        place.moveCenter(self.rect().center())
        return place


class ImageDiff(QWidget):
    """Before at the left, after at the right."""

    def __init__(self) -> None:
        super().__init__()
        self._before, self._after = Canvas(), Canvas()
        self._old = PlainLabel("", look="muted", size="small")
        self._new = PlainLabel("", look="muted", size="small")
        left = column(self._before, self._old, spacing=theme.HALF)
        right = column(self._after, self._new, spacing=theme.HALF)
        for caption in (self._old, self._new):
            caption.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        for side in (left, right):
            side.setStretch(0, 1)
        both = row(left, right, spacing=2 * theme.GRID)
        both.setContentsMargins(2 * theme.GRID, theme.GRID, 2 * theme.GRID, theme.GRID)
        both.setStretch(0, 1)
        both.setStretch(1, 1)
        self.setLayout(both)

    def show_images(
        self, before: QImage | None, after: QImage | None, captions: tuple[str, str] = ("", "")
    ) -> None:
        """Show both; None is the side where the picture is not."""
        old = translate("ImageDiff", "Before") if before else translate("ImageDiff", "Not there before")
        new = translate("ImageDiff", "After") if after else translate("ImageDiff", "Not there any more")
        self._before.show_image(before, old)
        self._after.show_image(after, new)
        self._old.setText(translate("ImageDiff", "Before: {what}").format(what=captions[0]) if before else "")
        self._new.setText(translate("ImageDiff", "After: {what}").format(what=captions[1]) if after else "")
