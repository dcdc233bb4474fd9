"""The one door: finding a project, its parts, its fingerprint, and whom a password in a config file may go to."""

from __future__ import annotations

from pathlib import Path

import pytest

import builders
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.errors import NoRemote, NotAProject
from modelkeep.core.project import Project, find_root


@pytest.fixture
def opened(project: Path):
    here = Project.open(project, vault=MemoryVault())
    yield here
    here.close()


def test_the_project_is_found_from_any_folder_in_it(project: Path):
    (project / "a/b").mkdir(parents=True)
    assert find_root(project / "a/b") == project


def test_a_git_repository_without_data_says_how_to_start(git_repo: Path):
    with pytest.raises(NotAProject) as caught:
        find_root(git_repo)
    assert "modelkeep init" in caught.value.hint


def test_an_unknown_remote_names_those_that_exist(opened: Project):
    builders.set_default_remote(opened.root, "/srv/data", "lab")
    opened.reload()
    with pytest.raises(NoRemote) as caught:
        opened.remote_config("lob")
    assert "lab" in caught.value.hint


def test_the_cache_stays_in_the_project_whatever_the_repository_says(opened: Project, tmp_path: Path):
    (opened.root / ".dvc/config").write_text(f"[cache]\n    dir = {tmp_path}/elsewhere\n")
    opened.reload()
    assert opened.cache_folder == opened.root / ".dvc/cache"
    (opened.root / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path}/elsewhere\n")
    opened.reload()
    assert opened.cache_folder == tmp_path / "elsewhere"


@pytest.mark.parametrize(
    "change",
    [
        lambda root: builders.make_commit(root, {"code.py": "x"}),
        lambda root: builders.make_tag(root, "v1"),
        lambda root: (root / ".dvc/config").write_text("[core]\n    autostage = true\n"),
        lambda root: builders.make_branch(root, "other", switch=True),
        lambda root: (root / "new.dvc").write_text("outs: []\n"),
    ],
)
def test_the_stamp_changes_with_what_others_do(opened: Project, change):
    before = opened.stamp()
    assert opened.stamp() == before
    change(opened.root)
    assert opened.stamp() != before


def _set_remote(project: Project, host: str) -> None:
    builders.set_default_remote(project.root, f"ssh://me@{host}/srv", "lab")
    (project.root / ".dvc/config.local").write_text("['remote \"lab\"']\n    password = hunter2\n")
    project.reload()


def test_a_password_in_the_config_is_used_for_its_server(opened: Project):
    _set_remote(opened, "lab.example")
    secret = opened.credentials.password("me@lab.example:22", 1, "")
    assert secret is not None and secret.reveal() == "hunter2"
    assert opened.remotes()[0].has_secret_in_config


def test_a_changed_address_does_not_get_the_password_of_the_old_one(opened: Project):
    from modelkeep.core.errors import LoginNeeded

    _set_remote(opened, "lab.example")
    assert opened.credentials.password("me@lab.example:22", 1, "") is not None
    _set_remote(opened, "evil.example")
    with pytest.raises(LoginNeeded, match=r"evil\.example"):
        opened.credentials.password("me@evil.example:22", 1, "")
