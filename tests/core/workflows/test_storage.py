"""A remote while it is set up: what is understood, what is shown before it is written, and what is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import servers
from modelkeep.core.errors import UnsafePath, UsageError
from modelkeep.core.project import Project
from modelkeep.core.workflows import folders, storage
from modelkeep.core.workflows.remote_test import State, Step
from modelkeep.core.workflows.storage import Draft, Value

Dvc = Callable[..., object]

LAB = Draft("lab", "ssh://alice@lab.example.org/srv/x", "ssh")


def texts(project: Project) -> dict[str, str]:
    """The config files of the project, as they are."""
    found = {}
    for name in (".dvc/config", ".dvc/config.local"):
        file = project.root / name
        found[name] = file.read_text() if file.exists() else ""
    return found


def save(project: Project, draft: Draft) -> None:
    """Save, and see that exactly that is written which was shown before."""
    shown = storage.preview(project, draft)
    before = texts(project)
    storage.save(project, draft)
    after = texts(project)
    assert {one.path for one in shown} == {name for name in after if after[name] != before[name]}
    for one in shown:
        assert (one.before, one.after) == (before[one.path], after[one.path])


def test_what_is_written_is_what_was_shown(opened: Project, dvc: Dvc) -> None:
    save(opened, replace(LAB, login="password"))
    assert texts(opened)[".dvc/config.local"] == "['remote \"lab\"']\n    ask_password = true\n"
    assert "    url = ssh://alice@lab.example.org/srv/x\n    verify = true\n" in texts(opened)[".dvc/config"]
    assert opened.config.default_remote == "lab"
    said = dvc("remote", "list", cwd=opened.root).stdout  # type: ignore[attr-defined]
    assert any(line.split()[:2] == ["lab", LAB.url] for line in said.splitlines())


def test_a_key_file_is_for_one_person_on_one_computer(opened: Project, tmp_path: Path) -> None:
    key = servers.make_key(tmp_path / "key", "ed25519", "a phrase")
    save(opened, replace(LAB, login="key", keyfile=str(key), default=False))
    assert "keyfile" not in texts(opened)[".dvc/config"]
    local = texts(opened)[".dvc/config.local"]
    assert f"keyfile = {key}" in local and "ask_passphrase = true" in local
    assert opened.config.default_remote == "store"
    again = storage.draft_of(opened, "lab")
    assert (again.login, again.keyfile, again.default) == ("key", str(key), False)
    save(opened, replace(again, login="password"))
    assert texts(opened)[".dvc/config.local"] == "['remote \"lab\"']\n    ask_password = true\n"


def test_an_edit_changes_what_was_edited_and_nothing_else(opened: Project, tmp_path: Path) -> None:
    config = opened.root / ".dvc/config"
    config.write_text(
        "[core]\n    remote = here\n['remote \"here\"']\n    url = ../../remote\n    jobs = 3\n"
    )
    opened.reload()
    draft = storage.draft_of(opened, "here")
    assert (draft.url, draft.kind, draft.default) == (str(tmp_path / "remote"), "local", True)
    assert [one.after for one in storage.preview(opened, draft)] == [
        config.read_text() + "    verify = true\n"
    ]
    save(opened, replace(draft, url="/mnt/elsewhere"))
    assert config.read_text() == (
        "[core]\n    remote = here\n['remote \"here\"']\n    url = /mnt/elsewhere\n    jobs = 3\n    verify = true\n"
    )
    opened.check_address("here")  # it was written at the user's word: nobody is asked about it
    assert storage.preview(opened, storage.draft_of(opened, "here")) == ()


def test_the_keys_user_and_port_are_part_of_the_address(opened: Project) -> None:
    storage.save(opened, replace(LAB, url="ssh://lab.example.org/srv", default=False))
    local = opened.root / ".dvc/config.local"
    local.write_text("['remote \"lab\"']\n    user = bob\n    port = 2222\n")
    opened.reload()
    draft = storage.draft_of(opened, "lab")
    assert draft.url == "ssh://bob@lab.example.org:2222/srv"
    assert storage.preview(opened, draft) == ()
    save(opened, replace(draft, url="ssh://eve@lab.example.org/srv"))
    assert storage.draft_of(opened, "lab").url == "ssh://eve@lab.example.org/srv"
    assert local.read_text().strip() == ""


def test_a_remote_is_known_by_its_address(opened: Project, remote: Path) -> None:
    config = opened.root / ".dvc/config"
    config.write_text(f"['remote \"bad\"']\n    url = /etc/x\n{config.read_text()}")
    opened.reload()
    assert storage.known_as(opened, storage.understand(str(remote))) == "store"
    assert storage.known_as(opened, LAB) == ""


def test_secrets_are_dots_in_what_is_shown(opened: Project) -> None:
    (opened.root / ".dvc/config.local").write_text(
        "['remote \"lab\"']\n    url = ssh://bob:hunter2@lab/srv\n    'password' = 'hunter3'\n# password=hunter4\n"
    )
    opened.reload()
    (change,) = storage.preview(opened, replace(LAB, level="local", default=False))
    shown = change.before + change.after
    assert "hunter" not in shown and shown.count("••••••••") >= 4 and "ssh://bob:••••••••@lab/srv" in shown


def test_a_config_of_blank_lines_is_shown(opened: Project) -> None:
    """A pattern that looks for secrets across lines would not come to its end with them."""
    config = opened.root / ".dvc/config"
    config.write_text(config.read_text() + "\n" * 200_000)
    assert storage.preview(opened, LAB)


def test_every_value_and_where_it_comes_from(opened: Project) -> None:
    storage.save(opened, replace(LAB, login="password"))
    assert storage.values_of(opened, "lab") == (
        Value("url", LAB.url, "repo", ".dvc/config"),
        Value("verify", "true", "repo", ".dvc/config"),
        Value("ask_password", "true", "local", ".dvc/config.local"),
        Value("core.remote", "lab", "repo", ".dvc/config"),
    )


@pytest.mark.parametrize(
    "draft",
    [
        replace(LAB, name=""),
        replace(LAB, name="a b"),
        replace(LAB, url=""),
        replace(LAB, url="alice@lab:/srv"),
        replace(LAB, login="magic"),
        replace(LAB, level="system"),
    ],
)
def test_what_cannot_be_a_remote_is_not_written(opened: Project, draft: Draft) -> None:
    before = texts(opened)
    with pytest.raises(UsageError):
        storage.save(opened, draft)
    assert texts(opened) == before


def test_no_data_goes_where_none_belongs() -> None:
    with pytest.raises(UnsafePath):
        Draft("x", "/etc/data", "local").spec()


def test_what_was_pasted_becomes_a_draft(opened: Project) -> None:
    draft = storage.understand("ssh://alice:hunter%202@lab:2200/srv")
    assert (draft.url, draft.login, draft.name) == ("ssh://alice@lab:2200/srv", "password", "")
    assert "keyring" in draft.note and "hunter" not in repr(draft)
    assert storage.keyring_entry(opened, draft) == "modelkeep:ssh / alice@lab:2200"
    assert storage.free_name(opened) == "storage"
    opened_name = replace(draft, name="storage")
    storage.save(opened, opened_name)
    assert storage.free_name(opened) == "storage2"
    assert "hunter" not in "".join(texts(opened).values())


def test_a_pasted_password_is_offered_to_that_address_only(opened: Project) -> None:
    draft = storage.understand("ssh://alice:hunter2@lab/srv")
    storage.offer(opened, draft)
    given = opened.credentials.password("alice@lab:22", 1, "")
    assert given is not None and given.reveal() == "hunter2"
    assert opened.vault.get("alice@lab:22") is None  # not before the server took it


def test_the_way_to_log_in_that_a_test_found(opened: Project) -> None:
    steps = [Step("login", "Login", State.OK, detail="password")]
    assert storage.as_tested(LAB, steps).login == "password"
    assert storage.as_tested(replace(LAB, login="key"), steps).login == "key"
    assert storage.as_tested(LAB, [replace(steps[0], detail="key /x")]).login == "auto"
    assert storage.keyring_entry(opened, LAB) == ""


def test_a_password_that_cannot_be_kept_is_said(opened: Project) -> None:
    draft = replace(LAB, login="password")
    assert storage.kept_where(opened, LAB) == ""
    assert storage.kept_where(opened, draft).startswith("Passwords are kept only until Modelkeep is closed")
    opened.credentials.keyring_problem = "The keyring is locked."
    assert storage.kept_where(opened, draft).endswith("asked for again: The keyring is locked.")


def test_each_way_to_log_in_says_how_plain_dvc_gets_on() -> None:
    said = {storage.plain_dvc(replace(LAB, login=login)) for login in storage.LOGINS}
    assert len(said) >= 3 and all("dvc" in one for one in said)


def test_the_servers_of_the_users_own_config(home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh/config").write_text("Host lab gpu*\n  User x\nHost !no cluster\nHost *\n  Port 22\n")
    assert storage.known_hosts_of_config() == ("lab", "cluster")


# -- folders -------------------------------------------------------------------------------------------


def test_what_a_folder_is(tmp_path: Path, project: Path, git_repo: Path) -> None:
    (git_repo / "sub").mkdir()
    (tmp_path / "empty").mkdir()
    found = {
        name: folders.look_at(tmp_path / name).kind
        for name in ("empty", "missing", "repo", "repo/sub", "project")
    }
    assert found == {
        "empty": "empty", "missing": "missing", "repo": "git", "repo/sub": "inside_git", "project": "project"
    }  # fmt: skip
    assert folders.look_at(git_repo / "sub").root == git_repo
    assert folders.look_at(git_repo / "not there") == folders.Folder("inside_git", git_repo)
    assert folders.look_at(tmp_path).kind == "folder"
    with pytest.raises(UsageError):
        folders.look_at(project / ".dvc/config")


def test_who_commits(git_repo: Path, home: Path, tmp_path: Path) -> None:
    assert folders.identity(tmp_path / "not there") == ("Test Person", "test@example.org")
    (home / ".gitconfig").write_text("[user]\n    useConfigOnly = true\n")
    assert folders.identity(git_repo) is None and folders.identity(tmp_path) is None
    folders.set_identity(git_repo, " Kim ", "kim@example.org")
    assert folders.identity(git_repo) == ("Kim", "kim@example.org")
    for name, email in (("", "a@b"), ("Kim", "kim"), ("Kim", "k im@x"), ("K<im", "a@b")):
        with pytest.raises(UsageError):
            folders.set_identity(git_repo, name, email)
