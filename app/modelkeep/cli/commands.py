"""From parsed words to the function that does them. Each returns another function that prints the result,
which runs once the progress line is gone."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from modelkeep.cli import connecting, looking, moving
from modelkeep.cli.terminal import TerminalQuestions
from modelkeep.core.errors import UsageError
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project, find_root

Show = Callable[[], int | None]
Command = Callable[[Project, argparse.Namespace, Progress], Show]

_IN_PROJECT: dict[str, Command] = {
    "versions": looking.versions,
    "show": looking.show,
    "status": looking.status,
    "diff": looking.diff,
    "add": moving.add,
    "push": moving.push,
    "fetch": moving.fetch,
    "pull": moving.pull,
    "checkout": moving.checkout,
    "publish": moving.publish,
    "restore": moving.restore,
    "export": moving.export,
    "remote": connecting.remote,
    "login": connecting.login,
}
_ANYWHERE: dict[str, Callable[[argparse.Namespace, Progress], Show]] = {
    "init": connecting.init,
    "clone": connecting.clone,
    "demo": connecting.demo,
    "open": connecting.open_window,
}


def run(arguments: argparse.Namespace, progress: Progress) -> Show:
    """Do one command; raises ModelkeepError or Cancelled."""
    if arguments.command in _ANYWHERE:
        return _ANYWHERE[arguments.command](arguments, progress)
    folder = Path(arguments.directory)
    _from_here(arguments, folder)
    project = Project.open(folder, questions=TerminalQuestions())
    try:
        return _IN_PROJECT[arguments.command](project, arguments, progress)
    finally:
        project.close()


def _from_here(arguments: argparse.Namespace, folder: Path) -> None:
    """Paths are meant from the folder the command works in; the engine wants them from the project."""
    for name in ("targets", "outputs"):
        if getattr(arguments, name, None):
            setattr(arguments, name, [relative(folder, text) for text in getattr(arguments, name)])
    for name in ("file", "output", "history"):
        if getattr(arguments, name, None):
            setattr(arguments, name, relative(folder, getattr(arguments, name)))


def relative(folder: Path, text: str) -> str:
    """`text`, a path seen from `folder`, as seen from the root of the project. Links are not resolved."""
    root = os.path.abspath(find_root(folder))
    path = os.path.relpath(os.path.join(os.path.abspath(folder), text), root)
    if path == ".." or path.startswith(".." + os.sep):
        raise UsageError(
            f"{text} is outside the project {root}.", hint="Data must lie in the project's folder."
        )
    return Path(path).as_posix()


__all__: Sequence[str] = ("relative", "run")
