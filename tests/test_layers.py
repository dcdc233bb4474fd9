"""The layer rule of the house is a test: the import contracts of pyproject.toml hold, and each can fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

#: One sin per contract: the module that commits it, and the line. Modules that do not exist are made.
SINS = {
    "faces": ("cli/__init__.py", "import modelkeep.gui"),
    "core": ("core/values.py", "import modelkeep.core.project"),
    "engine-api": ("cli/__init__.py", "import modelkeep.core.engine"),
    "gui": ("gui/theme.py", "import modelkeep.gui.app"),
    "panels": ("gui/panels/versions.py", "import modelkeep.gui.panels.details"),
    "qt": ("core/values.py", "import PySide6.QtCore"),
    "ssh": ("core/engine/hashing.py", "import paramiko"),
    "git": ("core/workflows/publish.py", "import git"),
    "keyring": ("core/settings.py", "import keyring"),
    "texts": ("core/engine/hashing.py", "import ruamel.yaml"),
    "dvc": ("core/formats/manifest.py", "import dvc.repo"),
}


def lint(source: Path) -> str:
    """What the contracts say about the package below `source`, as one text; ends with `kept` or `broken`."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    return f"{done.stdout}{done.stderr}\n{'broken' if done.returncode else 'kept'}"


def test_every_import_goes_down() -> None:
    said = lint(ROOT / "app")
    assert said.endswith("kept"), said


@pytest.fixture(scope="module")
def sinful(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the contracts say about a copy of the package in which each rule is broken once."""
    source = tmp_path_factory.mktemp("sinful")
    shutil.copytree(
        ROOT / "app/modelkeep", source / "modelkeep", ignore=shutil.ignore_patterns("__pycache__")
    )
    for place, line in SINS.values():
        file = source / "modelkeep" / place
        with file.open("a", encoding="utf-8") as text:
            text.write(f"\n\n{line}\n")
    return lint(source)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract["id"])
def test_each_contract_can_fail(sinful: str, contract: dict[str, str]) -> None:
    assert f"{contract['name']} BROKEN" in sinful, sinful
