"""The referee of this folder: the real dvc, many commands from one start, because starting takes it a second."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Dvc

HERE = Path(__file__).parent


class DvcForks:
    """A running dvc_forks.py."""

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(
            [python, HERE / "dvc_forks.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE,
        )
        if self._answer() != "ready":
            pytest.fail("the real dvc does not start", pytrace=False)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def run(self, args: list[str], cwd: Path, env: dict[str, str], scratch: Path) -> tuple[int, str, str]:
        """(exit code, standard output, standard error) of one command."""
        out, err = scratch / "dvc.out", scratch / "dvc.err"
        for file in (out, err):
            file.unlink(missing_ok=True)
        order = {"args": args, "cwd": str(cwd), "env": env, "out": str(out), "err": str(err)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code = self._answer()
        if not code:
            pytest.fail("the real dvc went away", pytrace=False)
        return int(code), out.read_text(), err.read_text()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def dvc_forks(dvc_program: Path) -> Iterator[DvcForks]:
    """The real dvc, started once for all tests of this folder."""
    forks = DvcForks(dvc_program.parent / "python")
    try:
        yield forks
    finally:
        forks.close()


@pytest.fixture
def dvc(dvc_forks: DvcForks, dvc_program: Path, home: Path) -> Dvc:
    """Run the real dvc: `dvc("add", "data", cwd=project)`. Raises when it fails, unless `check=False`."""

    def call(
        *args: str | Path, cwd: Path, check: bool = True, **env: str
    ) -> subprocess.CompletedProcess[str]:
        path = f"{dvc_program.parent}{os.pathsep}{os.environ['PATH']}"
        words = [str(one) for one in args]
        code, out, err = dvc_forks.run(words, cwd, {**os.environ, "PATH": path, **env}, home)
        if check and code:
            raise AssertionError(f"dvc {args} ended with {code}\n{out}{err}")
        return subprocess.CompletedProcess(words, code, out, err)

    return call
