"""The program's beginning and end, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_CLOSED_AT = """
import sys, threading
from pathlib import Path
from PySide6.QtCore import QTimer
from modelkeep.gui import app

app.application([])
QTimer.singleShot(int(sys.argv[2]), app.QApplication.closeAllWindows)
code = app.run(Path(sys.argv[1]))
print(code, [one.name for one in threading.enumerate()])
"""


@pytest.mark.parametrize("milliseconds", [50, 1200])
def test_no_thread_outlives_the_window(flowers: Path, milliseconds: int) -> None:
    """One that still runs when Python ends may bring it down, and its exit code with it."""
    command = [sys.executable, "-X", "faulthandler", "-c", _CLOSED_AT, str(flowers), str(milliseconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stdout.strip()) == (0, "0 ['MainThread']"), done.stderr
