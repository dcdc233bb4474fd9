"""Real DVC for the formats: a project without Git, so that one call takes about a second."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

RealDvc = Callable[..., str]


@pytest.fixture(scope="module")
def dvc_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dvc") / "project"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text("[core]\n    no_scm = True\n")
    return root


@pytest.fixture(scope="module")
def real_dvc(dvc_project: Path, dvc_program: Path) -> RealDvc:
    home = dvc_project.parent / "home"
    home.mkdir()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(home / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(home / "system"),
        "LC_ALL": "C.UTF-8",
    }

    def run(*args: str) -> str:
        done = subprocess.run([dvc_program, *args], cwd=dvc_project, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
