"""From an empty folder to a first published version, on a real SSH server whose password goes to a real keyring."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import builders
import servers
from journeys.test_seed_workflow import nothing_tells_the_password
from servers import PASSWORD, SshServer
from team import modelkeep
from terminal import Terminal

Dvc = Callable[..., object]

pytestmark = pytest.mark.skipif(not servers.IS_ROOT, reason=servers.NO_ROOT)


def stranger(home: Path) -> None:
    """Let Git know nobody, as on a new computer."""
    (home / ".gitconfig").write_text("[init]\n    defaultBranch = main\n[user]\n    useConfigOnly = true\n")


def test_without_a_terminal(
    ssh_server: SshServer, keyring: object, home: Path, tmp_path: Path, dvc: Dvc, git_remote: Path
) -> None:
    stranger(home)
    folder = tmp_path / "flowers"
    words = ["setup", folder, "--url", ssh_server.url(folder="by-flags"), "--password-stdin", "--json"]
    who = ["--user-name", "Kim", "--user-email", "kim@example.org"]

    refused = json.loads(modelkeep(*words, *who, cwd=tmp_path, stdin=f"{PASSWORD}\n", expect=1).out)
    assert (refused["ok"], refused["steps"][2]["reason"]) == (False, "host_unknown")
    assert ssh_server.fingerprint() in refused["steps"][2]["text"]
    assert (folder / ".dvc/config").read_text() == ""

    trusted = ["--fingerprint", ssh_server.fingerprint()]
    done = json.loads(modelkeep(*words, *trusted, cwd=tmp_path, stdin=f"{PASSWORD}\n").out)
    assert done["ok"] and done["login"] == "password"
    assert done["keyring"] == f"modelkeep:ssh / {ssh_server.shell.user}@127.0.0.1:{ssh_server.port}"
    assert [one["path"] for one in done["files"]] == [".dvc/config", ".dvc/config.local"]
    for one in done["files"]:
        assert (folder / one["path"]).read_text() == one["after"]
    assert not (ssh_server.shell.folder / "by-flags").exists()

    builders.git(folder, "remote", "add", "origin", str(git_remote))
    builders.write_tree(folder, {"data/a.txt": "one\n", "data/b.txt": "two\n"})
    modelkeep("add", "data", cwd=folder)
    modelkeep("publish", "v1.0", "-m", "First version", cwd=folder)
    assert builders.git(git_remote, "log", "-1", "--format=%an", "v1.0").strip() == "Kim"
    assert builders.git(folder, "status", "--porcelain") == ""
    nothing_tells_the_password(tmp_path, home, ssh_server.shell.folder)

    builders.git(tmp_path, "clone", "--quiet", str(git_remote), "colleague")
    (tmp_path / "colleague/.dvc/config.local").write_text(
        f"['remote \"storage\"']\n    keyfile = {ssh_server.key}\n"
    )
    dvc("pull", cwd=tmp_path / "colleague")
    assert (tmp_path / "colleague/data/b.txt").read_text() == "two\n"


def test_page_by_page_on_a_terminal(
    ssh_server: SshServer, keyring: object, home: Path, tmp_path: Path, git_remote: Path
) -> None:
    stranger(home)
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh/config").write_text("Host lab *.example.org\n  User x\n")
    folder, user, port = tmp_path / "flowers", ssh_server.shell.user, ssh_server.port
    with Terminal("setup", folder, cwd=tmp_path) as person:
        person.sees("What shall it become?")
        person.sees("Number [1]: ")
        person.types("")
        person.sees("Your name: ")
        person.types("Kim")
        person.sees("Your e-mail address: ")
        person.types("kim@example.org")
        person.sees("What kind of storage is it?")
        person.types("3")
        person.sees("cannot use this kind yet")
        person.types("ssh")
        person.sees("Your ~/.ssh/config knows: lab")
        person.types(f"{user}@127.0.0.1:data")
        person.sees("from the top of the server")
        person.sees("Address, in any form")
        person.types(f"dvc remote add -d lab ssh://{user}@127.0.0.1:{port}{ssh_server.shell.path}/by-pages")
        person.sees("Understood: ssh://")
        person.sees("How does 127.0.0.1 let you in?")
        person.types("3")
        person.sees("The dvc command asks for the password itself")
        person.sees(ssh_server.fingerprint())
        person.types("yes")
        person.sees(f"Password for {user}@127.0.0.1:{port}")
        person.types("")
        person.sees("The question was not answered.")
        person.sees("Number [1]: ")
        person.types("again")
        person.sees(f"Password for {user}@127.0.0.1:{port}")
        person.types(PASSWORD)
        person.sees("✓ Login")
        person.sees("Everything works.")
        person.sees("+     verify = true")
        person.sees(f"modelkeep:ssh / {user}@127.0.0.1:{port}")
        person.sees("Write this? (Y/n): ")
        person.types("")
        person.sees('publish v1.0 -m "First version"')
        assert person.leaves() == 0
        assert PASSWORD not in person.text
    assert (folder / ".dvc/config.local").read_text() == "['remote \"lab\"']\n    ask_password = true\n"
    builders.write_tree(folder, {"model.bin": b"\0model"})
    modelkeep("add", "model.bin", cwd=folder)
    modelkeep("publish", "v1.0", "-m", "First version", cwd=folder)
    assert (ssh_server.shell.folder / "by-pages/files/md5").is_dir()
    nothing_tells_the_password(tmp_path, home, ssh_server.shell.folder)


def test_a_failed_test_can_be_mended_and_ctrl_c_leaves(
    ssh_server: SshServer, home: Path, tmp_path: Path, project: Path
) -> None:
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh/known_hosts").write_text(ssh_server.known_hosts())
    user = ssh_server.shell.user
    builders.set_default_remote(project, "/nowhere")
    before = (project / ".dvc/config").read_text()
    with Terminal("setup", "--url", f"ssh://{user}@127.0.0.1:{servers.free_port()}/x", cwd=project) as person:
        person.sees("Name for this storage [storage2]: ")
        person.types("lab")
        person.sees("How does 127.0.0.1 let you in?")
        person.types("key")
        person.sees("Key file [~/.ssh/id_ed25519]: ")
        person.types(str(ssh_server.key))
        person.sees("✗ An answer")
        person.sees("What now?")
        person.types("address")
        person.sees("Which storage?")
        person.types("2")
        person.sees("What kind of storage is it?")
        person.types("ssh")
        person.sees("Address, in any form")
        person.types(ssh_server.url(folder="mended"))
        person.sees("Name for this storage")
        person.types("lab")
        person.sees("let you in?")
        person.types("key")
        person.sees("Key file")
        person.types(str(ssh_server.key))
        person.sees("Everything works.")
        person.sees("Write this?")
        person.presses(b"\x03")
        assert person.leaves() == 130
    assert (project / ".dvc/config").read_text() == before
    assert not (project / ".dvc/config.local").exists()
    assert "mended" not in os.listdir(ssh_server.shell.folder)
