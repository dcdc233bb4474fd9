"""A real screen that nobody sees: Xvfb with a window manager, a mouse, a keyboard, and eyes to find a colour.

with desktop(folder) as screen:
    window = screen.window("part of its title")
    screen.click(window, *screen.find(window, "#1f5fd8"))
    screen.type("데이터 v2"); screen.key("Return")
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PySide6.QtGui import QColor, QImage

_PROGRAMS = ("Xvfb", "openbox", "xdotool", "import")
T = TypeVar("T")


@dataclass(frozen=True)
class Desktop:
    """The screen; `environment` is what a program needs to open its windows on it."""

    folder: Path
    environment: dict[str, str]

    def window(self, title: str, seconds: float = 30) -> str:
        """The id of the visible window whose title contains `title`, once it is there."""
        return until(lambda: self._windows(title), f"no window {title!r}", seconds)[-1]

    def is_gone(self, title: str) -> bool:
        return not self._windows(title)

    def _windows(self, title: str) -> list[str]:
        return self._do("search", "--onlyvisible", "--name", title, check=False).split()

    def find(
        self, window: str, colour: str, *, above: int | None = None, seconds: float = 15
    ) -> tuple[int, int]:
        """The middle of the largest patch of exactly this colour in a window (or its part `above`), once there
        is one."""
        return until(lambda: _patch(self.picture(window), colour, above), f"no {colour}", seconds)

    def picture(self, window: str = "root") -> QImage:
        """What a window (or the whole screen) looks like now; also kept as a file for who looks into a failure."""
        file = self.folder / f"{time.monotonic():.2f}.png"
        subprocess.run(
            ["import", "-window", window, file],
            env=self.environment,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=20,
        )
        return QImage(str(file))

    def click(self, window: str, x: int, y: int, button: int = 1) -> None:
        """Move the mouse to a point of a window and click."""
        self._do("mousemove", "--window", window, str(x), str(y), "sleep", "0.1", "click", str(button))

    def type(self, text: str) -> None:
        """Type on the keyboard into whatever has the focus."""
        self._do("type", "--delay", "60", text)
        time.sleep(0.3)

    def key(self, *keys: str) -> None:
        """Press keys or combinations such as ctrl+q."""
        self._do("key", *keys)

    def focus(self, window: str) -> None:
        self._do("windowactivate", "--sync", window)

    def _do(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            ["xdotool", *words], env=self.environment, capture_output=True, text=True, check=False, timeout=30
        )
        assert done.returncode == 0 or not check, f"xdotool {words}: {done.stderr}"
        return done.stdout


@contextmanager
def desktop(folder: Path, *, size: str = "1280x800") -> Iterator[Desktop]:
    """A screen with openbox on it, gone when the block ends. Pictures are kept in `folder`."""
    for program in _PROGRAMS:
        assert shutil.which(program), f"{program} is missing: packaging/test installs it"
    folder.mkdir(parents=True, exist_ok=True)
    read, write = os.pipe()
    # -r: no auto-repeat, because a slow machine would take one press of a key for several.
    command = [
        "Xvfb",
        "-displayfd",
        str(write),
        "-screen",
        "0",
        f"{size}x24",
        "-nolisten",
        "tcp",
        "-noreset",
        "-r",
    ]
    server = _start(command, dict(os.environ), pass_fds=(write,))
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    environment = {**os.environ, "DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
    manager = _start(["openbox"], environment)
    try:
        until(lambda: _manages(environment), "openbox does not manage the screen", 10)
        yield Desktop(folder, environment)
    finally:
        for process in (manager, server):
            process.terminate()
            process.wait(5)


def until(look: Callable[[], T], failure: str, seconds: float) -> T:
    """What `look` returns once that is not empty; fails with `failure` after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"{failure} after {seconds:g} s"
        time.sleep(0.1)
    return found


def _start(
    command: list[str], environment: dict[str, str], pass_fds: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env=environment,
        pass_fds=pass_fds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _manages(environment: dict[str, str]) -> bool:
    command = ["xprop", "-root", "_NET_SUPPORTING_WM_CHECK"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return "window id" in said.stdout


def _patch(image: QImage, colour: str, above: int | None) -> tuple[int, int] | None:
    """The middle of the largest area of a colour that is at least 24 x 12 pixels, None if there is none."""
    pixel = QColor(colour).rgb().to_bytes(4, sys.byteorder)
    picture = image.convertToFormat(QImage.Format.Format_RGB32)
    width, bits = picture.bytesPerLine(), bytes(picture.constBits())
    rows = [bits[start : start + width] for start in range(0, len(bits), width)][:above]
    areas = [area for y in range(len(rows)) if (area := _area(rows, y, pixel))]
    _, x, y = max(areas, default=(0, 0, 0))
    return (x, y) if areas else None


def _area(rows: list[bytes], top: int, pixel: bytes) -> tuple[int, int, int] | None:
    """Size and middle of the area that begins in the row `top` with a run of 24 such pixels."""
    left = rows[top].find(pixel * 24)
    if left < 0 or left % 4:
        return None
    right = left
    while rows[top][right : right + 4] == pixel:
        right += 4
    bottom = top
    while bottom < len(rows) and rows[bottom][left : left + 4] == pixel:
        bottom += 1
    if bottom - top < 12:
        return None
    return (right - left) * (bottom - top), (left + right) // 8, (top + bottom) // 2
