"""What the live test of a remote says when something is wrong: on real servers, each failure with its name."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import servers
from contract.conftest import SHORT
from modelkeep.core.project import Project
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.values import Secret
from modelkeep.core.workflows import hosts
from modelkeep.core.workflows.remote_test import State, run_test
from remote_trial import Try, failed, needs_root, spec_of, trust
from servers import SshServer

# -- reaching the server -------------------------------------------------------------------------------


def test_an_unknown_name(server: SshServer, try_out: Try) -> None:
    step = failed(try_out(spec_of(server, host="no-such-host.invalid")))
    assert (step.key, step.reason) == ("name", "name_unknown")
    assert step.text == "No server called no-such-host.invalid is known."


def test_a_refused_port(server: SshServer, try_out: Try) -> None:
    step = failed(try_out(spec_of(server, port=servers.free_port())))
    assert (step.key, step.reason) == ("port", "port_refused")
    assert "nothing answers on port" in step.text
    assert f"ssh://{server.shell.user}@127.0.0.1:PORT{server.shell.path}/store" in step.advice


@contextmanager
def listening(says: bytes) -> Iterator[int]:
    """The port of something that takes connections, says one thing, and then nothing more."""
    open_socks: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as sock:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    visitor, _ = sock.accept()
                    open_socks.append(visitor)
                    visitor.sendall(says)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(sock.getsockname()[1])
        sock.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    for visitor in open_socks:
        visitor.close()


def test_a_silent_server(server: SshServer, try_out: Try) -> None:
    with listening(b"") as port:
        step = failed(try_out(spec_of(server, port=port)))
    assert (step.key, step.reason) == ("port", "silent")
    assert step.text == "127.0.0.1 takes the connection, but then says nothing."


def test_something_that_is_no_ssh_server(server: SshServer, try_out: Try) -> None:
    with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 60) as port:
        step = failed(try_out(spec_of(server, port=port)))
    assert (step.key, step.reason) == ("port", "not_ssh")
    assert "is no SSH server" in step.text


def test_a_jump_host_that_fails(server: SshServer, home: Path, try_out: Try) -> None:
    config = (
        f"Host hop\n  HostName 127.0.0.1\n  Port {servers.free_port()}\nHost 127.0.0.1\n  ProxyJump hop\n"
    )
    (home / ".ssh/config").write_text(config)
    step = failed(try_out(spec_of(server)))
    assert step.reason == "jump_failed"
    assert step.text.startswith("The way to 127.0.0.1 leads over another server, and it ends there")


def test_only_outdated_encryption(tmp_path: Path, home: Path, try_out: Try) -> None:
    with servers.ssh_server(tmp_path / "d", config="Ciphers aes128-cbc") as server:
        trust(home, server)
        step = failed(try_out(spec_of(server)))
    assert (step.key, step.reason) == ("host_key", "old_algorithms")
    assert "only offers outdated encryption" in step.text


# -- who it is -----------------------------------------------------------------------------------------


def test_an_unknown_key_comes_with_the_command_to_compare_it(
    server: SshServer, home: Path, try_out: Try
) -> None:
    (home / ".ssh/known_hosts").unlink()
    step = failed(try_out(spec_of(server)))
    assert (step.key, step.reason) == ("host_key", "host_unknown")
    assert server.fingerprint() in step.text
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in step.advice
    assert f"modelkeep setup --fingerprint {server.fingerprint()}" in step.advice


def test_a_changed_key(server: SshServer, home: Path, tmp_path: Path, try_out: Try) -> None:
    other = Path(f"{servers.make_key(tmp_path / 'other')}.pub").read_text()
    (home / ".ssh/known_hosts").write_text(f"{server.known_hosts().split()[0]} {other}")
    step = failed(try_out(spec_of(server)))
    assert (step.key, step.reason) == ("host_key", "host_changed")
    assert "shows another key than before. Nothing was sent to it." in step.text
    assert server.fingerprint() in step.detail and "known_hosts:1" in step.detail
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}'" in step.advice


def test_a_changed_key_on_the_way_is_that_hosts(
    server: SshServer, home: Path, tmp_path: Path, try_out: Try
) -> None:
    other = Path(f"{servers.make_key(tmp_path / 'other')}.pub").read_text()
    own = home / ".ssh/hops"
    own.write_text(f"nas {other}")
    hop = f"HostName localhost\n  Port {server.port}\n  HostKeyAlias nas\n  UserKnownHostsFile {own}"
    (home / ".ssh/config").write_text(f"Host hop\n  {hop}\nHost 127.0.0.1\n  ProxyJump hop\n")
    step = failed(try_out(spec_of(server)))
    assert step.reason == "host_changed"
    assert "nas shows another key" in step.text
    assert f"ssh-keygen -R 'nas' -f {own}" in step.advice
    assert step.forgettable is not None and [one.place for one in hosts.lines_of(step.forgettable)] == [
        f"{own}:1"
    ]
    hosts.forget(step.forgettable)
    assert own.read_text() == "" and server.known_hosts() in (home / ".ssh/known_hosts").read_text()


def test_a_key_is_looked_for_as_the_config_names_its_server(home: Path) -> None:
    own = home / ".ssh/nas"
    (home / ".ssh").mkdir(exist_ok=True)
    (home / ".ssh/config").write_text(f"Host nas\n  HostName 10.0.0.5\n  UserKnownHostsFile {own}\n")
    assert hosts.known_as(RemoteSpec.parse("ssh://nas/data")) == hosts.KnownAs("10.0.0.5", (str(own),))


def test_a_revoked_key(server: SshServer, home: Path, try_out: Try) -> None:
    with (home / ".ssh/known_hosts").open("a") as file:
        file.write(f"@revoked * {server.known_hosts().split(' ', 1)[1]}")
    step = failed(try_out(spec_of(server)))
    assert (step.key, step.reason) == ("host_key", "host_revoked")
    assert "was declared invalid" in step.text and step.forgettable is None


# -- who you are ---------------------------------------------------------------------------------------


def address(server: SshServer) -> str:
    return f"{server.shell.user}@127.0.0.1:{server.port}"


@needs_root
def test_a_password_that_nobody_was_asked_for(server: SshServer, try_out: Try) -> None:
    step = failed(try_out(spec_of(server, keyfile="")))
    assert (step.key, step.reason) == ("login", "login_needed")
    assert "modelkeep setup --password-stdin" in step.advice


@needs_root
def test_a_wrong_password(server: SshServer, opened: Project, try_out: Try) -> None:
    opened.credentials.offer(address(server), Secret("not the password 5"))
    step = failed(try_out(spec_of(server, keyfile="")))
    assert (step.key, step.reason) == ("login", "password_wrong")
    assert "does not take this password" in step.text and "Caps Lock" in step.advice
    assert "not the password 5" not in repr(step)


@needs_root
def test_the_right_password_is_kept(server: SshServer, opened: Project, try_out: Try) -> None:
    opened.credentials.offer(address(server), Secret(servers.PASSWORD))
    found = try_out(spec_of(server, keyfile=""))
    assert found["login"].text == f"Logged in as {server.shell.user} with the password."
    kept = opened.vault.get(address(server))
    assert kept is not None and kept.reveal() == servers.PASSWORD


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A server that takes keys only, and not many of them, and allows one session in a connection."""
    config = "MaxAuthTries 2\nPasswordAuthentication no\nMaxSessions 1"
    with servers.ssh_server(tmp_path_factory.mktemp("strict") / "d", config=config) as server:
        yield server


def test_a_key_the_server_does_not_know(strict: SshServer, home: Path, tmp_path: Path, try_out: Try) -> None:
    trust(home, strict)
    step = failed(try_out(spec_of(strict, keyfile=servers.make_key(tmp_path / "stranger"))))
    assert (step.key, step.reason) == ("login", "key_refused")
    assert "knows none of the keys" in step.text
    assert f"ssh-copy-id -p {strict.port} {strict.shell.user}@127.0.0.1" in step.advice
    assert "stranger" in step.detail


def test_too_many_keys_of_the_agent(
    strict: SshServer, home: Path, tmp_path: Path, try_out: Try, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(home, strict)
    sock = home / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    try:
        while not sock.exists():
            assert agent.poll() is None
        monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
        for number in range(4):
            subprocess.run(["ssh-add", "-q", servers.make_key(tmp_path / f"k{number}")], check=True)
        step = failed(try_out(spec_of(strict, keyfile="")))
    finally:
        agent.terminate()
        agent.wait(5)
    assert (step.key, step.reason) == ("login", "too_many_keys")
    assert "IdentitiesOnly yes" in step.advice


def test_a_key_file_that_others_may_read(strict: SshServer, home: Path, tmp_path: Path, try_out: Try) -> None:
    trust(home, strict)
    key = shutil.copy(strict.key, tmp_path / "open key")
    os.chmod(key, 0o644)
    step = failed(try_out(spec_of(strict, keyfile=key)))
    assert (step.key, step.reason) == ("login", "key_too_open")
    assert "chmod 600" in step.advice and "open key" in step.advice


def test_a_wrong_passphrase(strict: SshServer, home: Path, tmp_path: Path, opened: Project) -> None:
    class Forgetful:
        def passphrase(self, keyfile: str, *, attempt: int) -> Secret | None:
            return Secret(f"wrong phrase {attempt}")

        def say(self, text: str) -> None:
            return

    trust(home, strict)
    opened.credentials._questions = Forgetful()  # type: ignore[assignment]
    key = servers.make_key(tmp_path / "locked", "ed25519", "right phrase")
    with (strict.keys / strict.shell.user).open("a") as keys:
        keys.write(Path(f"{key}.pub").read_text())
    spec = spec_of(strict, keyfile=key)
    step = failed({one.key: one for one in run_test(opened, spec=spec, limits=SHORT)})
    assert (step.key, step.reason) == ("login", "passphrase_wrong")
    assert step.text == "The passphrase does not open the key."
    assert "wrong phrase" not in repr(step)


def test_a_server_that_allows_one_session(strict: SshServer, home: Path, try_out: Try) -> None:
    trust(home, strict)
    step = failed(try_out(spec_of(strict)))
    assert (step.key, step.reason) == ("commands", "folder_one_session")
    assert "MaxSessions" in step.advice
    assert list(strict.shell.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "reason", "says"),
    [
        ("echo Welcome to the lab", "folder_garbled", "says something else before the file transfer begins"),
        ("true", "no_sftp", "offers no file transfer"),
    ],
)
def test_an_account_without_file_transfer(
    strict: SshServer, home: Path, tmp_path: Path, try_out: Try, command: str, reason: str, says: str
) -> None:
    trust(home, strict)
    key = servers.make_key(tmp_path / "key")
    with (strict.keys / strict.shell.user).open("a") as keys:
        keys.write(f'command="{command}" {Path(f"{key}.pub").read_text()}')
    step = failed(try_out(spec_of(strict, keyfile=key)))
    assert (step.key, step.reason) == ("folder", reason)
    assert says in step.text


# -- the folder on the server --------------------------------------------------------------------------


@needs_root
def test_a_folder_of_somebody_else(server: SshServer, try_out: Try) -> None:
    step = failed(try_out(spec_of(server, "/srv")))
    assert (step.key, step.reason) == ("write", "folder_denied")
    assert step.text == f"The account {server.shell.user} may not make or change anything in /srv."
    home = server.shell.path.rpartition("/")[0]
    address = f"ssh://{server.shell.user}@127.0.0.1:{server.port}{home}/data"
    assert step.advice.endswith(f"Your own folder there is {home}: try {address}")


@needs_root
def test_a_folder_that_cannot_be_made(server: SshServer, try_out: Try) -> None:
    step = failed(try_out(spec_of(server, "/srv/no-such/store")))
    assert (step.key, step.reason) == ("folder", "folder_denied")
    assert "/srv/no-such" in step.text


def test_a_file_in_the_way(server: SshServer, try_out: Try) -> None:
    taken = server.shell.folder / "taken"
    taken.write_text("x")
    try:
        for path in (f"{server.shell.path}/taken", f"{server.shell.path}/taken/deeper"):
            step = failed(try_out(spec_of(server, path)))
            assert (step.key, step.reason) == ("folder", "folder_taken")
    finally:
        taken.unlink()


def test_a_full_disk(server: SshServer, disk: Path, try_out: Try) -> None:
    (disk / "filler").write_bytes(b"\1" * (1 << 20))
    step = failed(try_out(spec_of(server, str(disk))))
    assert (step.key, step.reason) == ("write", "folder_full")
    assert step.text == f"The disk with {disk} is full."
    assert [one.name for one in disk.iterdir()] == ["filler"]


def test_a_disk_that_is_nearly_full_is_not_filled(server: SshServer, disk: Path, try_out: Try) -> None:
    (disk / "filler").write_bytes(b"\1" * (1000 << 10))
    found = try_out(spec_of(server, str(disk)))
    assert (found["space"].state, found["space"].reason) == (State.WARNING, "space_low")
    assert found["speed"].reason == "speed_unknown"
    assert found["content"].state is State.OK
    assert [one.name for one in disk.iterdir()] == ["filler"]


@needs_root
def test_a_folder_that_may_not_be_listed(server: SshServer, try_out: Try) -> None:
    folder = server.shell.folder / "dark"
    folder.mkdir()
    try:
        folder.chmod(0o733)
        step = try_out(spec_of(server, str(folder)))["folder"]
        assert (step.state, step.reason) == (State.WARNING, "folder_unlisted")
    finally:
        folder.rmdir()


def test_a_disk_that_can_only_be_read(server: SshServer, disk: Path, try_out: Try) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    step = failed(try_out(spec_of(server, str(disk))))
    assert (step.key, step.reason) == ("write", "folder_read_only")
    assert "can only be read" in step.text
