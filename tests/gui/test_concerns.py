"""What waits for the user's word is read from the project and becomes a notice with the action that answers it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import builders
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.nouns import replace
from modelkeep.core.progress import SILENT
from modelkeep.core.project import Project
from modelkeep.gui.concerns import look, look_back
from modelkeep.gui.panels.banner import notices


@pytest.fixture(autouse=True)
def stored(project: Path, remote: Path) -> None:
    """The project has a remote: one without is another story."""
    builders.set_default_remote(project, str(remote))


def seen(root: Path) -> list[tuple[str, tuple[str, ...]]]:
    project = Project.open(root, vault=MemoryVault())
    try:
        return [(one.name, one.actions) for one in notices(look(project, SILENT))]
    finally:
        project.close()


def test_a_calm_project_has_no_notice(project: Path) -> None:
    assert seen(project) == []


def test_a_project_without_storage_offers_to_set_it_up(project: Path) -> None:
    (project / ".dvc/config").write_text("")
    assert seen(project) == [("storage", ("setup-storage",))]


def test_a_password_of_the_past_is_told_with_what_helps(project: Path) -> None:
    builders.set_default_remote(project, "ssh://me@lab.example/srv", password="hunter2")
    builders.make_commit(project, message="Oops")
    builders.set_default_remote(project, "ssh://me@lab.example/srv")
    builders.make_commit(project, message="Better")
    opened = Project.open(project, vault=MemoryVault())
    past = look_back(opened, SILENT)
    found = notices(replace(look(opened, SILENT), past=past))
    opened.close()
    assert [one.commit for one in past] and "Change it on the server" in found[0].text
    assert "hunter2" not in found[0].text


def test_an_interrupted_restore_can_be_finished(project: Path) -> None:
    base = builders.git(project, "rev-parse", "HEAD")
    record = {"version": "v1.0", "commit": base, "branch": "from-v1.0", "base": base}
    builders.write_tree(project, {".dvc/tmp/modelkeep/restore.json": json.dumps(record)})
    assert seen(project) == [("half", ("finish-checkout",))]


def test_a_password_in_the_config_can_be_moved(project: Path) -> None:
    builders.set_default_remote(project, "ssh://me@lab.example/srv", password="hunter2")
    assert seen(project) == [("secrets", ("move-secrets",))]


def test_programs_of_the_repository_wait_for_trust(project: Path) -> None:
    builders.git(project, "config", "filter.lfs.clean", "a program")
    assert seen(project) == [("programs", ("trust",))]


def test_a_record_that_came_with_the_repository_does_not_keep_it_from_being_opened(project: Path) -> None:
    builders.write_tree(project, {".dvc/tmp/modelkeep/publish.json": "{}"})
    builders.git(project, "add", "--force", ".dvc/tmp/modelkeep/publish.json")
    assert seen(project) == []
