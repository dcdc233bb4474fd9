"""A project with a data remote and a Git remote, opened by the engine: what the recipes work on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import builders
import servers
from cleaning import make_shop
from contract.conftest import SHORT
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.project import Project
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.workflows import remote_checks, setup
from modelkeep.core.workflows.remote_test import run_test
from remote_trial import Found, Try, own_folder, trust
from servers import SshServer


@pytest.fixture
def opened(project: Path, remote: Path, git_remote: Path) -> Iterator[Project]:
    """An open project: `data/` and `model.bin` in the workspace, nothing tracked yet, both remotes set."""
    builders.write_tree(project, {"data/a.txt": "one\n", "data/b.txt": "two\n", "model.bin": b"\0model 1"})
    builders.git(project, "remote", "add", "origin", str(git_remote))
    here = Project.open(project, vault=MemoryVault())
    setup.add_remote(here, "store", str(remote), default=True)
    yield here
    here.close()


@pytest.fixture(scope="session")
def _shop_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, because it takes longer than most tests."""
    folder = tmp_path_factory.mktemp("shop")
    make_shop(folder)
    return folder


@pytest.fixture
def shop(_shop_made: Path, remote: Path, tmp_path: Path) -> Iterator[Project]:
    """The project of `cleaning.make_shop`, opened."""
    for name in ("project", "remote"):
        shutil.copytree(_shop_made / name, tmp_path / name, dirs_exist_ok=True)
    here = Project.open(tmp_path / "project", vault=MemoryVault())
    yield here
    here.close()


# -- the live test of a remote -------------------------------------------------------------------------


@pytest.fixture
def try_out(opened: Project, monkeypatch: pytest.MonkeyPatch) -> Try:
    """Test a remote by its spec; gives its steps by key. The speed is measured with little."""
    monkeypatch.setattr(remote_checks, "_MOST", 1 << 18)

    def call(spec: RemoteSpec, **more: Any) -> Found:
        return {step.key: step for step in run_test(opened, spec=spec, limits=SHORT, **more)}

    return call


@pytest.fixture
def server(ssh_server: SshServer, home: Path) -> Iterator[SshServer]:
    """The server, known to this test's user, with a folder for each account that must be empty in the end."""
    trust(home, ssh_server)
    shell = own_folder(ssh_server.shell)
    locked = own_folder(ssh_server.sftp_only) if ssh_server.sftp_only else None
    yield replace(ssh_server, shell=shell, sftp_only=locked)
    for account in (shell, locked):
        assert account is None or list(account.folder.iterdir()) == []


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
