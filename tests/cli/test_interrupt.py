"""Ctrl+C ends a command quietly with 130, also while the program is still starting."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import modelkeep.cli.parser


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_while_it_starts(project: Path) -> None:
    late = Path(modelkeep.cli.parser.__file__)
    watched = [
        option for path in (late, *late.parent.glob("__pycache__/parser.*.pyc")) for option in ("-P", path)
    ]
    inject = ["-e", "trace=openat", "-e", "inject=openat:signal=SIGINT:when=1"]
    done = subprocess.run(
        ["strace", "-qq", "-o", "/dev/null", *watched, *inject, sys.executable, "-m", "modelkeep", "status"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr:
        pytest.skip("strace is not allowed here")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
