"""The live test of a remote against real servers: what each step finds, what each failure is called and says."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import builders
import servers
from contract.conftest import SHORT
from modelkeep.core.errors import Unsupported
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.project import Project
from modelkeep.core.stores import trial_ssh
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.stores.trial import FolderTrial, Obstacle
from modelkeep.core.values import Secret
from modelkeep.core.workflows import data, remote_checks
from modelkeep.core.workflows.remote_test import STEPS, State, Step, run_test, steps_for
from servers import SshServer

needs_root = pytest.mark.skipif(not servers.IS_ROOT, reason=servers.NO_ROOT)

Found = dict[str, Step]
Try = Callable[..., Found]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure the speed with little: how fast the machine is does not matter here."""
    monkeypatch.setattr(remote_checks, "_MOST", 1 << 18)


@pytest.fixture
def try_out(opened: Project) -> Try:
    """Test a remote by its spec; gives its steps by key."""

    def call(spec: RemoteSpec, **more: Any) -> Found:
        return {step.key: step for step in run_test(opened, spec=spec, limits=SHORT, **more)}

    return call


@pytest.fixture
def server(ssh_server: SshServer, home: Path) -> Iterator[SshServer]:
    """The server, known and its key file chosen; it must be as empty afterwards as before."""
    trust(home, ssh_server)
    yield ssh_server
    assert list(ssh_server.shell.folder.iterdir()) == []


def trust(home: Path, server: SshServer, port: int | None = None) -> Path:
    file = home / ".ssh" / "known_hosts"
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with file.open("a") as stream:
        stream.write(server.known_hosts(port=port))
    return file


def spec_of(
    server: SshServer, path: str | None = None, account: servers.Account | None = None, **more: Any
) -> RemoteSpec:
    account = account or server.shell
    options = {"keyfile": str(more.pop("keyfile", server.key))}
    path = path or f"{account.path}/store"
    return RemoteSpec(
        "ssh", path, more.pop("host", server.host), account.user, more.pop("port", server.port), options
    )


def failed(found: Found) -> Step:
    """The one step that failed: all before it went well, all after it were left out."""
    (step,) = (step for step in found.values() if step.state is State.FAILED)
    keys = list(found)
    at = keys.index(step.key)
    assert all(found[key].state in (State.OK, State.WARNING) for key in keys[:at])
    assert all(found[key].state is State.SKIPPED for key in keys[at + 1 :])
    assert step.text and step.advice
    return step


# -- what goes well ------------------------------------------------------------------------------------


def test_every_step_is_shown_as_it_begins_and_ends(server: SshServer, try_out: Try) -> None:
    shown: list[Step] = []
    found = try_out(spec_of(server, f"{server.shell.path}/some/new/place"), show=shown.append)
    assert [step.state for step in found.values()] == [State.OK] * len(STEPS)
    keys = [key for key, _ in STEPS]
    assert [step.key for step in shown] == [key for key in keys for _ in range(2)]
    assert [step.state for step in shown] == [State.RUNNING, State.OK] * len(STEPS)
    assert found["port"].text.startswith(f"An SSH server answers on port {server.port}: SSH-2.0-OpenSSH")
    assert server.fingerprint() in found["host_key"].text
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in found["host_key"].detail
    assert found["login"].text.startswith(f"Logged in as {server.shell.user} with the key ")
    assert found["folder"].reason == "folder_new"
    assert found["commands"].text == "The server checks every upload by its hash."
    assert "/s there, " in found["speed"].text


def test_what_is_there_of_the_project(server: SshServer, opened: Project, try_out: Try) -> None:
    data.add(opened, ["data", "model.bin"])
    assert (
        "Nothing of this version is there yet; it has 4 objects" in try_out(spec_of(server))["content"].text
    )
    (oid,) = [out.oid for out in opened.workspace.outputs().outputs if out.path == "model.bin"]
    assert oid is not None
    there = server.shell.folder / "store" / oid.key
    there.parent.mkdir(parents=True)
    there.write_bytes(b"x")
    for made in (server.shell.folder / "store").rglob("*"):
        made.chmod(0o777)
    (server.shell.folder / "store").chmod(0o777)
    try:
        assert try_out(spec_of(server))["content"].text.startswith(
            "1 of 4 objects of this version are there."
        )
    finally:
        shutil.rmtree(server.shell.folder / "store")


@needs_root
def test_an_account_locked_to_file_transfer_is_a_fact(server: SshServer, try_out: Try) -> None:
    assert server.sftp_only is not None
    found = try_out(spec_of(server, account=server.sftp_only))
    assert found["commands"].state is State.OK and found["commands"].reason == "sftp_only"
    assert "checked by their size" in found["commands"].text
    assert list(server.sftp_only.folder.iterdir()) == []


@needs_root
def test_the_path_as_the_administrator_sees_it_is_told_from_the_one_inside(
    server: SshServer, try_out: Try
) -> None:
    assert server.sftp_only is not None
    step = failed(try_out(spec_of(server, f"{server.sftp_only.folder}/store", account=server.sftp_only)))
    assert (step.key, step.reason) == ("folder", "folder_jail")
    assert "/data/store can be made (/data is there)" in step.text
    assert f"ssh://{server.sftp_only.user}@127.0.0.1:{server.port}/data/store" in step.advice


def test_a_clock_that_is_off_is_a_word_of_warning(
    server: SshServer, try_out: Try, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = SimpleNamespace(time=lambda: time.time() + 7200, monotonic=time.monotonic)
    monkeypatch.setattr(trial_ssh, "time", here)
    step = try_out(spec_of(server))["clock"]
    assert (step.state, step.reason) == (State.WARNING, "clock_off")
    assert "2 hours behind" in step.text


def test_the_time_a_person_takes_does_not_count(server: SshServer, opened: Project, home: Path) -> None:
    class Slow:
        def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
            time.sleep(1.0)
            return "remember"

    (home / ".ssh/known_hosts").unlink()
    opened.credentials._questions = Slow()  # type: ignore[assignment]
    steps = {step.key: step for step in run_test(opened, spec=spec_of(server), limits=SHORT)}
    assert steps["host_key"].state is State.OK and steps["host_key"].seconds < 0.9
    (line,) = (home / ".ssh/known_hosts").read_text().splitlines()
    assert line in server.known_hosts()


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


def test_a_revoked_key(server: SshServer, home: Path, try_out: Try) -> None:
    with (home / ".ssh/known_hosts").open("a") as file:
        file.write(f"@revoked * {server.known_hosts().split(' ', 1)[1]}")
    step = failed(try_out(spec_of(server)))
    assert (step.key, step.reason) == ("host_key", "host_revoked")
    assert "was declared invalid" in step.text


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
    """A server that takes keys only, and not many of them."""
    config = "MaxAuthTries 2\nPasswordAuthentication no"
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


# -- the folder on the server --------------------------------------------------------------------------


@needs_root
def test_a_folder_of_somebody_else(server: SshServer, try_out: Try) -> None:
    step = failed(try_out(spec_of(server, "/srv")))
    assert (step.key, step.reason) == ("write", "folder_denied")
    assert step.text == f"The account {server.shell.user} may not make or change anything in /srv."
    home = f"ssh://{server.shell.user}@127.0.0.1:{server.port}{server.shell.path}/data"
    assert step.advice.endswith(f"Your own folder there is {server.shell.path}: try {home}")


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


@pytest.fixture
def disk(server: SshServer) -> Iterator[Path]:
    """A small file system of its own in the account's folder."""
    if not servers.IS_ROOT:
        pytest.skip("a file system of its own needs root")
    folder = server.shell.folder / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", folder], check=False)
    if done.returncode:
        folder.rmdir()
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


def test_a_full_disk(server: SshServer, disk: Path, try_out: Try) -> None:
    (disk / "filler").write_bytes(b"\1" * (1 << 20))
    step = failed(try_out(spec_of(server, str(disk))))
    assert (step.key, step.reason) == ("write", "folder_full")
    assert step.text == f"The disk with {disk} is full."
    assert [one.name for one in disk.iterdir()] == ["filler"]


def test_a_disk_that_fills_up_on_the_way(server: SshServer, disk: Path, try_out: Try) -> None:
    (disk / "filler").write_bytes(b"\1" * (900 << 10))
    found = try_out(spec_of(server, str(disk)))
    step = failed(found)
    assert (step.key, step.reason) == ("speed", "folder_full")
    assert found["space"].reason == "space_low"
    assert [one.name for one in disk.iterdir()] == ["filler"]


def test_a_disk_that_can_only_be_read(server: SshServer, disk: Path, try_out: Try) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    step = failed(try_out(spec_of(server, str(disk))))
    assert (step.key, step.reason) == ("write", "folder_read_only")
    assert "can only be read" in step.text


# -- nothing is left behind ----------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["folder", "write", "clock", "commands", "content"])
def test_a_cancel_leaves_nothing(server: SshServer, try_out: Try, at: str) -> None:
    progress = Progress()

    def show(step: Step) -> None:
        if step.key == at:
            progress.cancel()

    with pytest.raises(Cancelled):
        try_out(spec_of(server, f"{server.shell.path}/a/b"), show=show, progress=progress)


def test_a_cancel_in_the_middle_of_sending_leaves_nothing(
    server: SshServer, try_out: Try, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_checks, "_MOST", 1 << 32)
    monkeypatch.setattr(remote_checks, "_SECONDS", 60.0)
    progress = Progress()
    timer = threading.Timer(0.5, progress.cancel)

    def show(step: Step) -> None:
        if step.key == "speed":
            timer.start()

    with pytest.raises(Cancelled):
        try_out(spec_of(server), show=show, progress=progress)
    timer.join()


def test_a_link_that_freezes_can_be_left(server: SshServer, home: Path, try_out: Try) -> None:
    with servers.link_to(server) as link:
        trust(home, server, link.port)
        progress = Progress()
        left: list[float] = []

        def cancel() -> None:
            left.append(time.monotonic())
            progress.cancel()

        timer = threading.Timer(0.5, cancel)

        def show(step: Step) -> None:
            if step.key == "rename" and step.state is State.RUNNING:
                link.freeze()
                timer.start()

        with pytest.raises(Cancelled):
            try_out(spec_of(server, port=link.port), show=show, progress=progress)
        assert time.monotonic() - left[0] < 2.5
        link.cut()
    for _ in range(50):  # what the server could not be told any more is left under a temporary name
        time.sleep(0.02)
    shutil.rmtree(server.shell.folder / "store", ignore_errors=True)


def test_a_link_that_breaks_is_the_end_of_a_step(server: SshServer, home: Path, try_out: Try) -> None:
    with servers.link_to(server) as link:
        trust(home, server, link.port)

        def show(step: Step) -> None:
            if step.key == "rename" and step.state is State.RUNNING:
                link.cut()

        step = failed(try_out(spec_of(server, port=link.port), show=show))
    assert (step.key, step.reason) == ("rename", "broken")
    assert step.text.startswith("The connection broke")
    assert "left there" in step.detail
    shutil.rmtree(server.shell.folder / "store")


# -- folders of this machine ---------------------------------------------------------------------------


def test_a_folder_has_fewer_steps_and_is_left_as_it_was(try_out: Try, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    found = try_out(RemoteSpec("local", str(folder)))
    assert tuple(found) == tuple(key for key, _ in steps_for("local"))
    assert [step.state for step in found.values()] == [State.OK] * 5
    assert found["folder"].reason == "folder_new" and not (tmp_path / "a").exists()
    folder.mkdir(parents=True)
    (folder / "mine").write_text("x")
    assert try_out(RemoteSpec("local", str(folder)))["folder"].text == f"{folder} is there."
    assert [one.name for one in folder.iterdir()] == ["mine"]


def test_a_full_and_a_read_only_folder(server: SshServer, disk: Path, try_out: Try) -> None:
    (disk / "filler").write_bytes(b"\1" * (1 << 20))
    assert failed(try_out(RemoteSpec("local", str(disk)))).reason == "folder_full"
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    step = failed(try_out(RemoteSpec("local", str(disk))))
    assert (step.key, step.reason) == ("write", "folder_read_only")
    assert failed(try_out(RemoteSpec("local", f"{disk}/deeper"))).key == "folder"


@pytest.mark.skipif(servers.IS_ROOT, reason="root may write anywhere")
def test_a_folder_of_this_machine_that_may_not_be_written(try_out: Try, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    step = failed(try_out(RemoteSpec("local", str(tmp_path))))
    assert (step.key, step.reason) == ("write", "folder_denied")


def test_a_file_in_place_of_the_folder(try_out: Try, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "deeper"):
        assert failed(try_out(RemoteSpec("local", str(path)))).reason == "folder_taken"


def test_a_share_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    trial = FolderTrial(str(tmp_path), patience=0.1)
    ended = threading.Event()
    with pytest.raises(Obstacle) as caught:
        trial._soon(lambda: ended.wait(5), "/mnt/share")
    ended.set()
    assert (caught.value.reason, caught.value.about) == ("no_answer", "/mnt/share")
    assert not trial.clean_up(1.0)


def test_a_remote_of_the_config_by_its_name(opened: Project, remote: Path) -> None:
    steps = run_test(opened)
    assert steps[0].text == f"{remote} is there."
    builders.set_default_remote(opened.root, "s3://bucket/x")
    opened.reload()
    with pytest.raises(Unsupported):
        run_test(opened)


def test_a_changed_address_is_not_tried(opened: Project, server: SshServer, remote: Path) -> None:
    with opened.using_remote("store"):
        pass
    config = opened.root / ".dvc/config"
    config.write_text(config.read_text().replace(str(remote), server.url()))
    opened.reload()
    mark = len(server.log())
    step = failed({one.key: one for one in run_test(opened, "store", limits=SHORT)})
    assert (step.key, step.reason) == ("name", "address_changed")
    assert server.url() in step.text and str(remote) in step.text
    assert "--address" in step.advice
    assert server.log()[mark:] == ""
