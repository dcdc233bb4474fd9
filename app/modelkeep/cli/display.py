"""Whether a window can be opened here. Qt ends the whole program where it cannot, so it is asked first."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path


def has_display() -> bool:
    """Whether a display is named and answers. A platform chosen by QT_QPA_PLATFORM is taken at its word."""
    if sys.platform in ("win32", "darwin") or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return _wayland_is_there() or _x_answers()


def _wayland_is_there() -> bool:
    name = os.environ.get("WAYLAND_DISPLAY", "")
    folder = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent"))
    return bool(name) and (folder / name).is_socket()


def _x_answers() -> bool:
    if not os.environ.get("DISPLAY"):
        return False
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return False
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    broken = bool(xcb.xcb_connection_has_error(connection))
    xcb.xcb_disconnect(connection)
    return not broken
