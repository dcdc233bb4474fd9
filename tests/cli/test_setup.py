"""`modelkeep setup` and `modelkeep remote test` as scripts use them: flags, exit codes, one JSON document."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import builders
from modelkeep import cli
from team import Said

Run = Callable[..., Said]


@pytest.fixture
def modelkeep(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: a new one each time would take most of the tests' time."""

    def call(*words: str | Path, cwd: Path, expect: int = 0) -> Said:
        monkeypatch.chdir(cwd)
        code = cli.main([str(word) for word in words], lambda folder, picture: 1)
        shown = capsys.readouterr()
        assert code == expect, f"{words} ended with {code}\n{shown.out}{shown.err}"
        return Said(code, shown.out, shown.err)

    return call


def test_a_new_project_on_a_shared_folder(modelkeep: Run, tmp_path: Path) -> None:
    said = modelkeep("setup", "p", "--url", tmp_path / "share", cwd=tmp_path)
    assert "✓ Writing" in said.out and "+     verify = true" in said.out
    assert 'publish v1.0 -m "First version"' in said.out
    project = tmp_path / "p"
    assert (project / ".dvc/config").read_text() == (
        f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {tmp_path / 'share'}\n    verify = true\n"
    )
    assert not (tmp_path / "share").exists()
    done = json.loads(modelkeep("remote", "test", "--json", cwd=project).out)
    assert done["ok"] and [step["key"] for step in done["steps"]] == [
        "folder",
        "write",
        "rename",
        "space",
        "content",
    ]
    assert set(done["steps"][0]) == {"key", "title", "state", "text", "advice", "detail", "seconds", "reason"}


def test_a_second_remote_beside_the_default_one(modelkeep: Run, project: Path, remote: Path) -> None:
    builders.set_default_remote(project, str(remote))
    words = ("--url", "../other", "--name", "Backup", "--no-default", "--json")
    done = json.loads(modelkeep("setup", *words, cwd=project).out)
    assert (done["remote"], done["created"], done["url"]) == ("backup", None, str(project.parent / "other"))
    words = ("--url", "../third", "--name", "backup")
    assert "with another address" in modelkeep("setup", *words, cwd=project, expect=2).err
    listed = json.loads(modelkeep("remote", "list", "--json", cwd=project).out)
    assert [(one["name"], one["default"]) for one in listed] == [("storage", True), ("backup", False)]


def test_a_folder_inside_a_repository_is_no_place_for_a_project(modelkeep: Run, git_repo: Path) -> None:
    said = modelkeep("setup", "sub", "--url", "/tmp/x", cwd=git_repo, expect=2)
    assert f"modelkeep setup {git_repo}" in said.err
    assert sorted(one.name for one in git_repo.iterdir()) == [".git"]


def test_a_clone_is_set_up_too(modelkeep: Run, git_remote: Path, tmp_path: Path) -> None:
    first = builders.make_project(tmp_path / "first")
    builders.git(first, "push", "--quiet", str(git_remote), "main")
    words = ("--clone", git_remote, "--url", tmp_path / "share", "--json")
    done = json.loads(modelkeep("setup", "copy", *words, cwd=tmp_path).out)
    assert done["created"] == "cloned" and done["project"] == str(tmp_path / "copy")
    modelkeep("setup", "copy", *words, cwd=tmp_path, expect=3)  # never into a folder with something in it


def test_what_fails_leaves_the_config_as_it_was(modelkeep: Run, project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    said = modelkeep("setup", "--url", tmp_path / "file", cwd=project, expect=1)
    assert "✗ The folder" in said.out and "is a file, not a folder" in said.out
    assert "The remote was not written." in said.out
    assert (project / ".dvc/config").read_text() == ""
    failed = json.loads(modelkeep("setup", "--url", tmp_path / "file", "--json", cwd=project, expect=1).out)
    assert (failed["ok"], failed["steps"][0]["reason"]) == (False, "folder_taken")


def test_a_test_that_fails_ends_with_1(modelkeep: Run, project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    builders.set_default_remote(project, str(tmp_path / "file"))
    said = modelkeep("remote", "test", cwd=project, expect=1)
    assert "The test stopped at “The folder”." in said.out and "Choose another folder." in said.out
    assert json.loads(modelkeep("remote", "test", "--json", cwd=project, expect=1).out)["ok"] is False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "modelkeep setup FOLDER --url"),
        (("--url", "alice@lab:data"), "ssh://alice@lab/home/alice/data"),
        (("--url", "/tmp/x", "--name", "a b"), "letters, digits"),
        (("--url", "ssh://lab/x", "--fingerprint", "MD5:00"), "SHA256 fingerprint"),
        (("--url", "ssh://lab/x", "--keyfile", "/no/such/key"), "no key file /no/such/key"),
    ],
)
def test_what_makes_no_sense_is_said_with_the_fix(
    modelkeep: Run, project: Path, words: tuple[str, ...], says: str
) -> None:
    assert says in modelkeep("setup", *words, cwd=project, expect=2).err
    assert (project / ".dvc/config").read_text() == ""


def test_a_host_key_is_forgotten_only_when_confirmed(modelkeep: Run, project: Path, home: Path) -> None:
    builders.set_default_remote(project, "ssh://alice@lab.example.org:2200/srv")
    modelkeep("remote", "forget-host", cwd=project, expect=2)
    blob = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    builders.write_tree(home, {".ssh/known_hosts": f"[lab.example.org]:2200 ssh-ed25519 {blob}\nx y z\n"})
    before = (home / ".ssh/known_hosts").read_text()
    said = modelkeep("remote", "forget-host", cwd=project, expect=2)
    assert "SHA256:" in said.err and "known_hosts:1" in said.err and "--yes" in said.err
    assert (home / ".ssh/known_hosts").read_text() == before
    modelkeep("remote", "forget-host", "--yes", cwd=project)
    assert (home / ".ssh/known_hosts").read_text() == "x y z\n"
