"""The command line: parse, call a workflow, print values or JSON. Holds no logic of its own."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from modelkeep.cli.parser import COMMANDS, parse

__all__ = ["COMMANDS", "main"]

#: Opens the window on a folder, or draws it into a picture, and returns an exit code.
Window = Callable[[Path | None, Path | None], int]

DONE, FAILED, USAGE, REFUSED, CANCELLED = 0, 1, 2, 3, 130


def main(argv: Sequence[str], window: Window) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong usage, 3 refused to protect
    data, 130 cancelled. `window` is called where the command asks for one."""
    arguments = parse(argv)
    arguments.window = window
    from modelkeep.cli import commands
    from modelkeep.cli.output import show_error
    from modelkeep.cli.terminal import running
    from modelkeep.core.errors import ModelkeepError, Refused, UsageError
    from modelkeep.core.progress import Cancelled, Progress

    progress = Progress()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        progress.cancel()

    previous = signal.signal(signal.SIGINT, stop)
    try:
        with running(progress, quiet=arguments.json or arguments.quiet):
            show = commands.run(arguments, progress)
        return show() or DONE
    except (Cancelled, KeyboardInterrupt):
        print("Cancelled. What was finished is kept.", file=sys.stderr)
        return CANCELLED
    except ModelkeepError as error:
        show_error(error, as_json=arguments.json)
        if isinstance(error, UsageError):
            return USAGE
        return REFUSED if isinstance(error, Refused) else FAILED
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED
    finally:
        signal.signal(signal.SIGINT, previous)
