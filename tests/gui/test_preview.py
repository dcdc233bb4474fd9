"""Previews refuse what could hurt and show the rest: limits before decoding, no SVG, visible control characters."""

from __future__ import annotations

import struct
import zlib

import pytest
from PySide6.QtGui import QImage

import builders
from modelkeep.gui import preview


def huge_png(width: int, height: int) -> bytes:
    """A PNG whose header promises more than its few bytes hold."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def test_a_picture_is_decoded():
    shown = preview.image_of(builders.png(20, 10))
    assert isinstance(shown.image, QImage) and (shown.image.width(), shown.image.height()) == (20, 10)
    assert shown.caption == "20 × 10 pixels, PNG"


@pytest.mark.parametrize(
    "data",
    [
        huge_png(40_000, 40_000),
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>',
        b"not a picture",
        b"",
        builders.png()[:40],
    ],
    ids=["too large", "svg", "noise", "empty", "cut"],
)
def test_what_must_not_be_decoded_gives_a_reason(data):
    shown = preview.image_of(data)
    assert shown.image is None and shown.reason


def test_text_makes_control_characters_visible_and_cuts_long_files():
    shown = preview.text_of("a\tb\u202e\x07\nsecond".encode(), "x.txt", truncated=False)
    assert shown.text == "a   b⟨U+202E⟩⟨U+0007⟩\nsecond" and not shown.caption
    long = preview.text_of(b"line\n" * 5000, "x.txt", truncated=False)
    assert long.text.count("\n") == 1999 and long.caption


def test_json_is_indented_only_when_it_is_whole():
    assert preview.text_of(b'{"a":1}', "x.json", truncated=False).text == '{\n  "a": 1\n}'
    assert preview.text_of(b'{"a":1', "x.json", truncated=True).text == '{"a":1'
