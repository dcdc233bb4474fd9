"""The live test of a remote against real servers: its steps, what it leaves behind, and folders of this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

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
from modelkeep.core.workflows import data, remote_checks, storage
from modelkeep.core.workflows.remote_test import STEPS, State, Step, run_test, steps_for
from modelkeep.core.workflows.storage import Draft
from remote_trial import Try, failed, needs_root, spec_of, trust
from servers import SshServer

# -- what goes well ------------------------------------------------------------------------------------


def test_every_step_is_shown_as_it_begins_and_ends(server: SshServer, try_out: Try) -> None:
    shown: list[Step] = []
    found = try_out(spec_of(server, f"{server.shell.path}/some/new/place"), show=shown.append)
    assert [step.state for step in found.values()] == [State.OK] * len(STEPS)
    keys = [key for key, _ in STEPS]
    assert [step.key for step in shown] == [key for key in keys for _ in range(2)]
    assert [step.state for step in shown] == [State.RUNNING, State.OK] * len(STEPS)
    assert found["port"].text.startswith(f"An SSH server answers on port {server.port}: OpenSSH")
    assert server.fingerprint() in found["host_key"].text
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in found["host_key"].detail
    assert found["login"].text.startswith(f"Logged in as {server.shell.user} with the key ")
    assert found["folder"].reason == "folder_new"
    assert found["write"].text == "Files can be written; everybody can read them there."
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
    inside = server.sftp_only.path
    assert f"{inside}/store can be made ({inside} is there)" in step.text
    assert f"ssh://{server.sftp_only.user}@127.0.0.1:{server.port}{inside}/store" in step.advice


@needs_root
def test_a_password_that_was_chosen_is_tried_though_a_key_fits(
    server: SshServer, home: Path, opened: Project
) -> None:
    shutil.copy(server.key, home / ".ssh/id_ed25519")
    address = f"{server.shell.user}@127.0.0.1:{server.port}"
    found = {}
    for login in ("auto", "password"):
        draft = Draft("x", server.url(), "ssh", login=login)
        storage.offer(opened, draft, Secret(servers.PASSWORD))
        steps = run_test(opened, spec=draft.spec(), limits=SHORT)
        found[login] = next(step.detail for step in steps if step.key == "login")
        assert (opened.vault.get(address) is not None) == (login == "password")
    assert found["auto"].startswith("key ") and found["password"] == "password"


@needs_root
def test_where_a_key_was_chosen_no_password_is_tried(
    server: SshServer, home: Path, opened: Project, tmp_path: Path
) -> None:
    key = servers.make_key(tmp_path / "stranger")
    draft = Draft("x", server.url(), "ssh", login="key", keyfile=str(key))
    storage.offer(opened, draft, Secret(servers.PASSWORD))
    step = failed({one.key: one for one in run_test(opened, spec=draft.spec(), limits=SHORT)})
    assert (step.key, step.reason) == ("login", "key_refused")


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


def test_paramiko_is_loaded_only_for_a_server() -> None:
    code = "import sys, modelkeep.core.workflows.remote_test, modelkeep.core.workflows.storage as s; s.understand('a:/b'); "
    code += "assert 'paramiko' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
