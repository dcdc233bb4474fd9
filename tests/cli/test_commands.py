"""The command line as scripts use it: exit codes, JSON, no prompts without a terminal, paths from any folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import builders

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def keep() -> Run:
    """Run the program as a process of its own: `keep("status", cwd=project)`."""

    def call(*args: str, cwd: Path, code: int = 0, stdin: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "modelkeep", *args],
            cwd=cwd,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return call


def as_json(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


@pytest.fixture
def ready(project: Path, remote: Path, git_remote: Path, keep: Run) -> Path:
    """A project with data in it, a data remote and a Git remote; nothing tracked yet."""
    builders.write_tree(project, {"data/가 나.txt": "one", "data/b.txt": "two", "model.bin": b"\0m1"})
    builders.git(project, "remote", "add", "origin", str(git_remote))
    keep("remote", "add", "-d", "store", str(remote), cwd=project)
    return project


def test_the_whole_way(ready: Path, keep: Run, tmp_path: Path) -> None:
    assert as_json(keep("add", "data", "model.bin", "--json", cwd=ready))["paths"]
    assert "v1.0 is published" in keep("publish", "v1.0", "-m", "First", cwd=ready).stdout
    (version,) = [v for v in as_json(keep("versions", "--tags", "--json", cwd=ready)) if v["name"] == "v1.0"]
    assert version["kind"] == "tag" and version["where"] == "here, on remote" and version["outputs"] == 2
    assert version["when"][-6] in "+-"
    (ready / "model.bin").write_bytes(b"\0m2")
    outputs = as_json(keep("status", "--json", cwd=ready))["outputs"]
    assert [one["path"] for one in outputs if one["state"] == "changed"] == ["model.bin"]
    rows = as_json(keep("diff", "v1.0", "workspace", "--json", cwd=ready))
    assert [(row["status"], row["path"]) for row in rows] == [("changed", "model.bin")]
    keep("export", "v1.0", str(tmp_path / "out"), cwd=ready)
    assert (tmp_path / "out/model.bin").read_bytes() == b"\0m1"
    keep("publish", "v1.1", cwd=ready)
    keep("restore", "v1.0", "model.bin", cwd=ready)
    assert (ready / "model.bin").read_bytes() == b"\0m1"


def test_lists_are_arrays_and_sizes_are_bytes(ready: Path, keep: Run) -> None:
    keep("add", "data", "model.bin", cwd=ready)
    shown = as_json(keep("show", "--json", cwd=ready))
    assert [(one["path"], one["size"], one["files"], one["is_dir"]) for one in shown] == [
        ("data", 6, 2, True),
        ("model.bin", 3, 1, False),
    ]
    files = as_json(keep("show", "workspace", "data", "--json", cwd=ready))
    assert {one["path"]: one["size"] for one in files} == {"b.txt": 3, "가 나.txt": 3}
    (remote,) = as_json(keep("remote", "list", "--json", cwd=ready))
    assert remote["name"] == "store" and remote["default"] is True


def test_paths_are_meant_from_the_folder_one_stands_in(ready: Path, keep: Run) -> None:
    (ready / "sub").mkdir()
    (ready / "sub/x.bin").write_bytes(b"x")
    keep("add", "x.bin", cwd=ready / "sub")
    assert (ready / "sub/x.bin.dvc").exists()
    keep("-C", "sub", "add", "../model.bin", cwd=ready)
    assert (ready / "model.bin.dvc").exists()


def test_metafiles_in_a_folder_of_their_own(ready: Path, keep: Run, dvc: Callable[..., Any]) -> None:
    (ready / "meta").mkdir()
    keep("add", "model.bin", "--file", "meta/model.dvc", cwd=ready)
    assert "model.bin" in (ready / "meta/model.dvc").read_text()
    assert "up to date" in dvc("status", cwd=ready).stdout
    keep("publish", "v1", cwd=ready)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("status",), 1),  # not a project
        (("add",), 2),
        (("frobnicate",), 2),
        (("--help",), 0),
        (("--version",), 0),
    ],
)
def test_exit_codes_anywhere(args: tuple[str, ...], code: int, keep: Run, tmp_path: Path) -> None:
    keep(*args, cwd=tmp_path, code=code)


@pytest.mark.parametrize(
    ("args", "code", "word"),
    [
        (("show", "v9"), 1, "v9"),
        (("add", "missing.bin"), 1, "missing.bin"),
        (("add", "../outside"), 2, "outside"),
        (("push", "-r", "nowhere"), 1, "nowhere"),
        (("restore",), 2, "version"),
        (("publish", "bad name"), 3, "bad name"),
        (("remote", "add", "x", "me@host:/data"), 2, "ssh://"),
        (("remote", "add", "x", "ssh://me:pw@host/data"), 2, "password"),
        (("login", "store"), 1, "no login"),
    ],
)
def test_exit_codes_in_a_project(args: tuple[str, ...], code: int, word: str, ready: Path, keep: Run) -> None:
    keep("add", "data", cwd=ready)
    assert word in keep(*args, cwd=ready, code=code).stderr


def test_data_protection_is_exit_code_3_and_names_the_files(ready: Path, keep: Run) -> None:
    keep("add", "data", cwd=ready)
    (ready / "data/b.txt").write_text("precious")
    error = keep("checkout", "--json", cwd=ready, code=3).stderr
    assert json.loads(error)["paths"] == ["data/b.txt"]
    assert (ready / "data/b.txt").read_text() == "precious"
    keep("checkout", "--force", cwd=ready)
    (record,) = as_json(keep("restore", "--replaced", "--json", cwd=ready))
    keep("restore", "--bring-back", record["id"], cwd=ready)
    assert (ready / "data/b.txt").read_text() == "precious"


def test_a_dry_run_changes_nothing(ready: Path, keep: Run) -> None:
    keep("add", "data", cwd=ready)
    before = builders.git(ready, "status", "--porcelain")
    plan = as_json(keep("publish", "v1", "-n", "--json", cwd=ready))
    assert plan["can_start"] is True and plan["steps"][0]["name"] == "add"
    assert builders.git(ready, "status", "--porcelain") == before and builders.git(ready, "tag") == ""


def test_init_and_clone(keep: Run, tmp_path: Path, ready: Path, git_remote: Path) -> None:
    keep("init", "fresh", cwd=tmp_path)
    assert (tmp_path / "fresh/.dvc/config").read_text() == ""
    assert sorted(builders.git(tmp_path / "fresh", "diff", "--cached", "--name-only").split()) == [
        ".dvc/.gitignore",
        ".dvc/config",
        ".dvcignore",
    ]
    keep("add", "data", cwd=ready)
    keep("publish", "v1", cwd=ready)
    keep("clone", str(git_remote), "copy", cwd=tmp_path)
    keep("pull", cwd=tmp_path / "copy")
    assert (tmp_path / "copy/data/b.txt").read_text() == "two"


def test_no_display_is_said_and_a_picture_is_drawn(
    ready: Path, keep: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    assert "no display" in keep("open", cwd=ready, code=2).stderr
    monkeypatch.setenv("DISPLAY", ":4711")  # named, but nothing answers
    assert "no display" in keep("open", cwd=ready, code=2).stderr
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    keep("open", "--picture", "window.png", cwd=ready)
    assert (ready / "window.png").read_bytes().startswith(b"\x89PNG")


def test_names_that_could_fool_a_terminal_are_shown_harmless(ready: Path, keep: Run) -> None:
    (ready / "evil\x1b[2J.bin").write_bytes(b"x")
    keep("add", "evil\x1b[2J.bin", cwd=ready)
    out = keep("show", cwd=ready).stdout
    assert "\x1b" not in out and "evil" in out


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys\nfrom modelkeep.cli.parser import parse\n"
        "try:\n parse(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'git', 'paramiko', 'PySide6', 'keyring', 'ruamel'} & set(sys.modules)\nassert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=dict(os.environ))
