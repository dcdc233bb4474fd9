"""The doctor: what is right, what to mind and what is wrong, each seen in a real project."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import builders
from keyring_daemon import keyring_daemon
from modelkeep.core.credentials import MemoryVault, open_vault
from modelkeep.core.engine.locks import project_lock
from modelkeep.core.engine.locks_look import held_locks
from modelkeep.core.project import Project
from modelkeep.core.values import Secret
from modelkeep.core.workflows import doctor
from modelkeep.core.workflows.doctor import Check, State
from modelkeep.core.workflows.journal import Journal
from people import Person

OK, WARNING, PROBLEM = State.OK, State.WARNING, State.PROBLEM


@pytest.fixture
def opened(project: Path, remote: Path) -> Iterator[Project]:
    """A project with a folder as its remote, all committed."""
    builders.set_default_remote(project, str(remote), "store")
    builders.make_commit(project, {}, "Use a folder")
    one = Project.open(project, vault=MemoryVault(), questions=Person(moves=False))
    yield one
    one.close()


def look(project: Project, key: str, *, online: bool = False) -> list[Check]:
    return [one for one in doctor.examine(project, online=online) if one.key == key]


def states(project: Project, *, online: bool = False) -> dict[str, State]:
    """The worst state of each check."""
    worst: dict[str, State] = {}
    order = [OK, WARNING, PROBLEM]
    for one in doctor.examine(project, online=online):
        worst[one.key] = max(worst.get(one.key, OK), one.state, key=order.index)
        assert one.title and one.text and (one.advice or one.state is OK), one
    return worst


def test_a_project_in_order(opened: Project, remote: Path) -> None:
    found = states(opened)
    assert set(found) == {
        "secrets", "history", "config_local", "keyring", "addresses", "ignored", "git", "identity", "remotes",
        "cache", "locks", "interrupted", "at_risk",
    }  # fmt: skip
    assert {key for key, state in found.items() if state is not OK} == {"keyring"}, "there is none in a test"
    assert not (remote / "files").exists(), "nothing was asked"


def test_secrets_and_where_they_may_leak(opened: Project) -> None:
    lab = "['remote \"lab\"']\n    url = ssh://me@lab.example/srv\n    password = canary-1\n"
    with (opened.root / ".dvc/config").open("a") as file:
        file.write(lab)
    builders.make_commit(opened.root, {}, "Oh")
    (opened.root / ".dvc/.gitignore").unlink()
    builders.git(opened.root, "checkout", "--quiet", "HEAD~1", "--", ".dvc/config")
    (opened.root / ".dvc/config.local").write_text(
        "['remote \"lab\"']\n    url = ssh://me@h/x\n    password = canary-2\n"
    )
    opened.reload()
    found = states(opened)
    assert (found["secrets"], found["history"], found["config_local"]) == (WARNING, PROBLEM, PROBLEM)
    assert "canary" not in repr(doctor.examine(opened))


def test_a_keyring_that_is_there_or_locked(
    opened: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with keyring_daemon(tmp_path / "k"):
        opened.vault = open_vault()
        opened.vault.put("a@b:22", Secret("x"))
        (check,) = look(opened, "keyring")
        assert check.state is OK and "keyring of this computer" in check.text
    with keyring_daemon(tmp_path / "k", locked=True):
        opened.vault = open_vault()
        (check,) = look(opened, "keyring")
        assert check.state is PROBLEM and "locked" in check.text and "Unlock" in check.advice
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    opened.vault = open_vault()
    (check,) = look(opened, "keyring")
    assert check.state is WARNING and "PlaintextKeyring is not used" in check.text


def test_addresses_and_settings_of_the_repository(opened: Project, remote: Path, tmp_path: Path) -> None:
    opened.accept_address(None)
    builders.set_default_remote(opened.root, str(tmp_path / "elsewhere"), "store", verify="false")
    opened.reload()
    (check,) = look(opened, "addresses")
    assert (
        check.state is WARNING
        and str(remote) in check.text
        and "remote trust store --address" in check.advice
    )
    (check,) = look(opened, "ignored")
    assert check.state is WARNING and "verify" in check.text
    (opened.root / ".dvc/config").write_text("")
    opened.reload()
    (check,) = look(opened, "addresses")
    assert check.state is WARNING and "this machine only" in check.text


def test_a_password_that_is_kept_for_another_server(opened: Project) -> None:
    def lead_to(host: str) -> Check:
        builders.set_default_remote(opened.root, f"ssh://me@{host}/srv", "lab")
        opened.reload()
        opened.accept_address(None)
        return look(opened, "addresses")[0]

    (opened.root / ".dvc/config.local").write_text("['remote \"lab\"']\n    password = canary\n")
    assert lead_to("old.example").state is OK
    check = lead_to("new.example")
    assert check.state is WARNING and "made for me@old.example:22" in check.text
    with (opened.root / ".dvc/config.local").open("a") as file:
        file.write("    url = ssh://me@new.example/srv\n")
    assert lead_to("new.example").state is OK, "it is all the user's own word"


def test_git_and_who_commits(opened: Project, home: Path) -> None:
    builders.git(opened.root, "config", "--global", "--remove-section", "user")
    (check,) = look(opened, "identity")
    assert check.state is PROBLEM and "user.name" in check.advice


def test_remotes_are_asked_only_online(opened: Project, remote: Path, tmp_path: Path) -> None:
    assert "not asked" in look(opened, "remotes")[0].text
    assert look(opened, "remotes", online=True)[0].state is OK
    with (opened.root / ".dvc/config.local").open("a") as file:
        file.write("['remote \"far\"']\n    url = ssh://me@127.0.0.1:1/srv\n")
    opened.reload()
    store, far = sorted(look(opened, "remotes", online=True), key=lambda one: "far" in one.text)
    assert store.state is OK and far.state is PROBLEM and far.advice


def test_data_that_is_only_here(opened: Project, remote: Path) -> None:
    name = builders.track_file(opened.root, "a.bin", "only here")
    (check,) = look(opened, "at_risk", online=True)
    assert check.state is WARNING and "modelkeep push" in check.advice and "1 object (9 bytes)" in check.text
    builders.put_object(remote, b"only here")
    opened.listings.clear()
    assert look(opened, "at_risk", online=True)[0].state is OK
    for place in (remote, opened.root / ".dvc/cache"):
        (place / "files/md5" / name[:2] / name[2:]).unlink()
    opened.listings.clear()
    assert look(opened, "at_risk", online=True)[0].state is PROBLEM


def test_the_rights_of_the_cache(opened: Project) -> None:
    builders.track_file(opened.root, "a.bin", "x")
    cache = opened.root / ".dvc/cache"
    cache.chmod(0o777)
    (check,) = look(opened, "cache")
    assert check.state is PROBLEM and "chmod o-w" in check.advice
    cache.chmod(0o755)
    (opened.root / ".dvc/config.local").write_text("[cache]\n    shared = group\n")
    opened.reload()
    assert look(opened, "cache")[0].state is WARNING
    cache.chmod(0o2775)
    assert look(opened, "cache")[0].state is OK


_HOLDER = """
import sys, fcntl, os
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
file.write(f" {os.getpid()}\\n"); file.flush()
print("held", flush=True)
sys.stdin.read()
"""


def test_locks_are_told_with_the_process_that_holds_them(opened: Project) -> None:
    (opened.root / ".dvc/tmp").mkdir(exist_ok=True)
    command = [sys.executable, "-c", _HOLDER, str(opened.root / ".dvc/tmp/lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        (check,) = look(opened, "locks")
        assert check.state is WARNING and f"process {holder.pid} (" in check.text
        holder.communicate("")
    assert look(opened, "locks")[0].state is OK
    index = opened.root / ".git/index.lock"
    index.write_text("")
    assert "Wait" in look(opened, "locks")[0].advice
    os.utime(index, (time.time() - 3600,) * 2)
    assert "remove the file" in look(opened, "locks")[0].advice


def test_looking_at_locks_takes_none(opened: Project) -> None:
    with project_lock(opened.root, False, command="test", write=[opened.root / "data"]):
        held = held_locks(opened.root, None)
    assert [one.path for one in held] == [".dvc/tmp/lock", str(opened.root / "data")]
    assert held_locks(opened.root, None) == ()
    (opened.root / ".dvc/tmp/lock").unlink()  # with links as locks, its name alone is the lock
    with project_lock(opened.root, True, command="test"):
        assert "hard links" in held_locks(opened.root, None)[0].who


def test_work_that_was_interrupted_and_what_it_left(opened: Project) -> None:
    head = builders.git(opened.root, "rev-parse", "HEAD")
    Journal(opened.root, "restore").write({"version": "v1", "commit": head, "branch": "", "base": head})
    temp = opened.root / ".dvc/cache/files/md5/.AAAAAAAAAAAAAAAAAAAAAA.tmp"
    builders.write_tree(temp.parent, {temp.name: "x" * 10})
    os.utime(temp, (0, 0))
    assert look(opened, "interrupted")[0].state is PROBLEM
    assert "1 temporary file (10 bytes)" in look(opened, "leftovers")[0].text


def test_a_check_that_fails_does_not_hide_the_others(opened: Project) -> None:
    Journal(opened.root, "publish").write({"nonsense": True})
    found = doctor.examine(opened)
    assert [one.state for one in found if one.key == "unfinished"] == [PROBLEM]
    assert [one.key for one in found][-1] == "at_risk"
