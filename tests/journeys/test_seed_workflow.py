"""The workflow this program was made for, against a real SSH server whose password is only in a real keyring."""

from __future__ import annotations

import base64
import json
import os
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import builders
from servers import PASSWORD, SshServer
from team import World, change_data, data_of, modelkeep

Dvc = Callable[..., object]


def connect(world: World, server: SshServer, folder: str) -> str:
    """Make the SSH server the project's remote: add it, trust its key, log in once. Returns its address."""
    url = server.url(folder=folder)
    world.run("remote", "add", "-d", "lab", url)
    said = world.run("login", "lab", "--password-stdin", stdin=PASSWORD + "\n", expect=1)
    assert server.fingerprint() in said.err, "an unknown server must be named by its fingerprint"
    assert PASSWORD not in said.out + said.err
    world.run("remote", "trust", "lab", "--fingerprint", server.fingerprint())
    world.run("login", "lab", "--password-stdin", stdin=PASSWORD + "\n")
    return url


def test_publish_in_one_action_and_a_colleague_gets_the_same_bytes(
    world: World, ssh_server: SshServer, keyring: object, dvc: Dvc, home: Path, tmp_path: Path
) -> None:
    connect(world, ssh_server, "seed")
    wanted = change_data(world.project)

    world.run("publish", "v1.1", "-m", "Flowers that a colleague can use")

    assert builders.git(world.origin, "cat-file", "-t", "v1.1") == "tag"
    assert builders.git(world.origin, "rev-parse", "main") == world.git("rev-parse", "v1.1^{}")
    assert world.git("status", "--porcelain") == ""
    nothing_tells_the_password(world.folder, home, ssh_server.shell.folder)

    colleague = clone_with_key(world, ssh_server, tmp_path)
    dvc("pull", cwd=colleague)
    assert data_of(colleague) == wanted
    assert "up to date" in getattr(dvc("status", cwd=colleague), "stdout", "")
    assert "in sync" in getattr(dvc("status", "--cloud", cwd=colleague), "stdout", "")


def test_a_colleague_with_modelkeep_pulls_by_the_keyring_alone(
    world: World, ssh_server: SshServer, keyring: object, home: Path, tmp_path: Path
) -> None:
    connect(world, ssh_server, "keyring-alone")
    wanted = change_data(world.project)
    world.run("publish", "v1.1", "-m", "More data")
    modelkeep("clone", str(world.origin), tmp_path / "colleague", cwd=tmp_path)
    modelkeep("pull", cwd=tmp_path / "colleague")
    assert data_of(tmp_path / "colleague") == wanted
    nothing_tells_the_password(tmp_path, home)


def test_without_the_keyring_the_password_is_asked_for_and_nothing_is_published(
    world: World, ssh_server: SshServer, home: Path
) -> None:
    world.run("remote", "add", "-d", "lab", ssh_server.url(folder="no-keyring"))
    world.run("remote", "trust", "lab", "--fingerprint", ssh_server.fingerprint())
    change_data(world.project)
    said = world.run("publish", "v1.1", "-m", "More data", expect=1)
    assert ssh_server.shell.user in said.err
    assert "v1.1" not in world.git("tag")
    assert "v1.1" not in builders.git(world.origin, "tag")


def test_a_wrong_password_is_not_kept(
    world: World, ssh_server: SshServer, keyring: object, home: Path
) -> None:
    world.run("remote", "add", "-d", "lab", ssh_server.url(folder="wrong"))
    world.run("remote", "trust", "lab", "--fingerprint", ssh_server.fingerprint())
    said = world.run("login", "lab", "--password-stdin", stdin="not the password 7\n", expect=1)
    assert "not the password 7" not in said.out + said.err
    world.run("push", expect=1)
    world.run("login", "lab", "--password-stdin", stdin=PASSWORD + "\n")
    world.run("push")


def test_a_password_in_the_config_is_moved_to_the_keyring(
    world: World, ssh_server: SshServer, keyring: object, home: Path
) -> None:
    world.run("remote", "add", "-d", "lab", ssh_server.url(folder="migrate"))
    world.run("remote", "trust", "lab", "--fingerprint", ssh_server.fingerprint())
    local = world.project / ".dvc/config.local"
    local.write_text(f"['remote \"lab\"']\n    password = {PASSWORD}\n")
    world.run("push")
    assert "password" in world.run("remote", "list").out
    world.run("login", "--migrate")
    nothing_tells_the_password(world.folder, home)
    (world.project / "model.bin").unlink()
    builders.write_tree(world.project, {"model.bin": builders.some_bytes(1000, seed=9)})
    world.run("publish", "v1.2", "-m", "By the keyring")


# -- what the tests need -------------------------------------------------------------------------------


def clone_with_key(world: World, server: SshServer, folder: Path) -> Path:
    """A clone by plain git, in which plain dvc logs in with a key instead of the password."""
    builders.git(folder, "clone", "--quiet", str(world.origin), "colleague")
    clone = folder / "colleague"
    (clone / ".dvc/config.local").write_text(f"['remote \"lab\"']\n    keyfile = {server.key}\n")
    ssh = Path(os.environ["HOME"]) / ".ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    with (ssh / "known_hosts").open("a") as known:
        known.write(server.known_hosts())
    return clone


def nothing_tells_the_password(*places: Path) -> None:
    """`grep -r PASSWORD`, in every form a password takes in files: plain, quoted, escaped, encoded."""
    raw = PASSWORD.encode()
    forms = {
        raw,
        urllib.parse.quote(PASSWORD).encode(),
        json.dumps(PASSWORD)[1:-1].encode(),
        raw.decode().encode("utf-16-le"),
    }
    forms |= {re.sub(rb"=+$", b"", base64.b64encode(raw))}
    for place in places:
        for path in place.rglob("*"):
            if not path.is_file() or path.is_symlink():
                continue
            content = path.read_bytes()
            told = [form for form in forms if form in content]
            assert not told, f"{path} holds the password as {told}"
