"""From parsed words to the function that does them. Each returns another function that prints the result,
which runs once the progress line is gone."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from modelkeep.cli.terminal import TerminalQuestions
from modelkeep.core.errors import UsageError
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project, find_root

Show = Callable[[], int | None]
Command = Callable[[Project, argparse.Namespace, Progress], Show]

#: Which module of this package does a command. Only that one is loaded: a small command should be quick.
_IN_PROJECT = {
    "looking": ("versions", "show", "status", "diff"),
    "moving": ("add", "push", "fetch", "pull", "checkout", "publish", "restore", "export"),
    "connecting": ("remote", "login"),
    "checking": ("doctor",),
    "freeing": ("gc",),
}
_ANYWHERE = {
    "connecting": ("init", "clone", "demo", "open"),
    "setting_up": ("setup",),
}
_CALLED = {"open": "open_window", "setup": "set_up"}


def run(arguments: argparse.Namespace, progress: Progress) -> Show:
    """Do one command; raises ModelkeepError or Cancelled."""
    name: str = arguments.command
    for module, names in _ANYWHERE.items():
        if name in names:
            work: Callable[[argparse.Namespace, Progress], Show] = _function(module, name)
            return work(arguments, progress)
    folder = Path(arguments.directory)
    _from_here(arguments, folder)
    project = Project.open(folder, questions=TerminalQuestions())
    try:
        module = next(module for module, names in _IN_PROJECT.items() if name in names)
        command: Command = _function(module, name)
        return command(project, arguments, progress)
    finally:
        project.close()


def _function(module: str, name: str) -> Any:
    return getattr(import_module(f"modelkeep.cli.{module}"), _CALLED.get(name, name))


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
