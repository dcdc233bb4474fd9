"""Turns the first bytes of a file into a picture or a text to show. For worker threads; no widget, no project.

Only bitmap formats that Qt decodes by itself are shown, never SVG or anything with references, and never
more pixels than the limit: the size is read before anything is decoded (safety rule 5.5).
"""

from __future__ import annotations

import json

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QSize, Qt
from PySide6.QtGui import QImage, QImageReader

from modelkeep.core.nouns import dataclass
from modelkeep.gui import wording
from modelkeep.gui.wording import translate

FORMATS = (b"png", b"jpeg", b"gif", b"bmp", b"webp")
MAX_BYTES = 64 * 1024 * 1024
_EDGE = 1600
_LINES = 2000
_WIDTH = 2000


@dataclass(frozen=True)
class Shown:
    """What to show: a picture, a text, or only a reason why neither."""

    reason: str = ""
    text: str = ""
    image: QImage | None = None
    caption: str = ""


def image_of(data: bytes) -> Shown:
    """Decode a picture within the limits; anything else gives the reason."""
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    reader.setDecideFormatFromContent(True)
    form = bytes(reader.format().data())
    if form not in FORMATS:
        return Shown(translate("Preview", "This kind of picture is not shown."))
    size = reader.size()
    if not size.isValid() or size.width() * size.height() * 4 > MAX_BYTES:
        return Shown(translate("Preview", "This picture is too large to be shown."))
    reader.setAutoTransform(True)
    if max(size.width(), size.height()) > _EDGE:
        reader.setScaledSize(size.scaled(QSize(_EDGE, _EDGE), Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    if image.isNull():
        return Shown(translate("Preview", "This picture is damaged: {why}").format(why=reader.errorString()))
    caption = translate("Preview", "{w} × {h} pixels").format(w=size.width(), h=size.height())
    return Shown(image=image, caption=f"{caption}, {form.decode().upper()}")


def text_of(data: bytes, name: str, *, truncated: bool) -> Shown:
    """A text, made visible where it holds control characters; JSON is indented when it is whole."""
    text = data.decode("utf-8", "replace")
    if name.endswith(".json") and not truncated:
        try:
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            truncated = False  # not JSON after all: shown as it is
    lines = [line[:_WIDTH] for line in text.split("\n", _LINES)[:_LINES]]
    cut = truncated or len(lines) == _LINES
    caption = translate("Preview", "The beginning of the file") if cut else ""
    return Shown(text=wording.lines("\n".join(lines)), caption=caption)
