"""What people install: the wheel carries everything, the locks name no address, the scripts are POSIX sh."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import builders

ROOT = Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "packaging"
LOCKS = sorted([*PACKAGING.glob("*.lock"), PACKAGING / "uv.lock.txt"])
SCRIPTS = [PACKAGING / name for name in ("bootstrap", "lock", "run", "test")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from a copy of the sources, by the backend that the lock pins."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("app", "resources"):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    target = source / "dist"
    builders.run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target, cwd=source)
    return next(target.glob("*.whl"))


def test_the_wheel_carries_the_resources_and_the_licence(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    resources = [path for path in (ROOT / "resources").rglob("*") if path.is_file()]
    assert {f"modelkeep/{path.relative_to(ROOT).as_posix()}" for path in resources} <= names
    assert "modelkeep/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests", "app", "packaging"))]


def test_an_installed_wheel_runs_and_finds_its_resources(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site packages"
    zipfile.ZipFile(wheel).extractall(site)
    probe = (
        "import modelkeep, modelkeep.resources as r; print(modelkeep.__file__); print(r.resource('icons'))"
    )
    # -P and a foreign folder: neither the checkout nor its editable install may help.
    env = {**os.environ, "PYTHONPATH": str(site)}
    where, icons = builders.run(sys.executable, "-P", "-c", probe, cwd=tmp_path, env=env).splitlines()
    assert Path(where).is_relative_to(site)
    assert Path(icons) == site / "modelkeep/resources/icons"
    said = builders.run(sys.executable, "-P", "-m", "modelkeep", "--version", cwd=tmp_path, env=env)
    assert PROJECT["version"] in said


def test_the_checkout_finds_its_resources() -> None:
    from modelkeep.resources import resource

    assert resource("icons").is_dir()
    with pytest.raises(FileNotFoundError, match=r"no-such\.svg"):
        resource("icons/no-such.svg")


def test_the_version_is_said_once() -> None:
    import modelkeep

    assert modelkeep.__version__ == PROJECT["version"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_pins_everything_and_names_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(
        r"://|^\s*-[-fi]|@ ?file|^\s*-r ", re.sub(r"--hash=sha256:[0-9a-f]{64}", "", text), re.M
    )
    requirements = [line for line in text.splitlines() if line and line[0] not in "# "]
    assert requirements
    assert all("==" in line and line.endswith("\\") for line in requirements)


def test_the_locks_of_program_and_tests_agree() -> None:
    run, test = (pins(PACKAGING / f"{name}.lock") for name in ("requirements", "requirements-test"))
    assert {name: test.get(name) for name in run} == run


def test_every_dependency_is_locked() -> None:
    names = {normal(re.split(r"[<>=\[; ]", line)[0]) for line in PROJECT["dependencies"]}
    assert names - {normal(name) for name in pins(PACKAGING / "requirements.lock")} == set()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^ \\]+)", lock.read_text(), re.M))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_plain_sh(script: Path) -> None:
    assert script.read_text().startswith("#!/bin/sh\n")
    assert os.access(script, os.X_OK)
    done = subprocess.run(["dash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
