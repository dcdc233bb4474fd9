"""Decides which face is wanted: a folder or nothing opens the window, anything else is the command line.

The one place that knows both faces. The window's libraries are imported only when a window is opened.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path

_LOCAL = frozenset({"status", "diff", "show", "versions", "add", "checkout"})
_ASKING = frozenset({"--remote", "-c", "--cloud"})


def main(argv: list[str] | None = None) -> int:
    """Run Modelkeep with `argv` (default: the program's arguments) and return its exit code."""
    # Folders of 200,000 files make as many values that all stay: looking for garbage among them again and
    # again would take longer than the work itself.
    gc.set_threshold(50_000, 20, 50)
    if argv is not None:
        return _run(argv)
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # while parts are imported nothing is under way
    code = _run(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is over, and the exit code is known
    return code


def _run(arguments: list[str]) -> int:
    from modelkeep.cli import COMMANDS
    from modelkeep.cli import main as run

    if not _stays_here(arguments):
        from modelkeep.core.logfile import start_log

        start_log()
    if not arguments:
        arguments = ["open"]
    elif len(arguments) == 1 and arguments[0] not in COMMANDS and Path(arguments[0]).is_dir():
        arguments = ["open", arguments[0]]
    return run(arguments, _window)


def _stays_here(arguments: list[str]) -> bool:
    """Whether a command loads nobody's code that may log: then the log, which takes its time, is not needed."""
    command = next((word for word in arguments if not word.startswith("-")), "")
    if command == "remote":
        return "list" in arguments
    return command in _LOCAL and _ASKING.isdisjoint(arguments)


def _window(folder: Path | None, picture: Path | None) -> int:
    """Open the window on a project (None: the start page), or draw it into the file `picture`."""
    from modelkeep.gui import app

    if picture is None:
        return app.run(folder)
    print(app.draw(folder, picture))
    return 0


if __name__ == "__main__":
    sys.exit(main())
