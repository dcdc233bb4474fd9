"""Run by the real dvc's own Python: loads dvc once, then runs each command in a process forked for it.

One line of JSON in (arguments, folder, environment, files for the output), one line with the exit code out. A
command sees what it sees when it is typed: its own process, environment, folder and streams; only the second
that importing takes is saved.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
from typing import Any

_LOADED = ("dvc.cli", "dvc.repo", "dvc.stage.loader", "dvc.output", "dvc.config_schema", "dvc_ssh")


def load() -> None:
    """Import what commands import when they start."""
    for name in _LOADED:
        importlib.import_module(name)
    import dvc.commands

    for one in pkgutil.iter_modules(dvc.commands.__path__):
        if one.name not in ("daemon", "completion"):
            importlib.import_module(f"dvc.commands.{one.name}")


def run(order: dict[str, Any]) -> None:
    """In the fork: become the command and end with its exit code."""
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    for stream, path in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, stream)
    sys.argv = ["dvc", *order["args"]]
    code = 255
    try:
        from dvc.cli import main

        code = main(order["args"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    """Until the end of the input."""
    load()
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            run(json.loads(line))
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
