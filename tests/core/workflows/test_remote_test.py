"""The live test of a remote against real servers: what each step finds, what each failure is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import servers
from contract.conftest import SHORT
from modelkeep.core.project import Project
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.workflows.remote_test import STEPS, State, Step, run_test, steps_for
from servers import SshServer

Try = Callable[..., dict[str, Step]]


@pytest.fixture
def try_out(opened: Project) -> Try:
    """Test a spec; returns the steps by key, in the order they ended."""

    def call(spec: RemoteSpec, **more: object) -> dict[str, Step]:
        steps = run_test(opened, spec=spec, limits=SHORT, **more)  # type: ignore[arg-type]
        return {step.key: step for step in steps}

    return call


def spec_of(server: SshServer, folder: str = "store", **options: str) -> RemoteSpec:
    options.setdefault("keyfile", str(server.key))
    account = server.shell
    return RemoteSpec("ssh", f"{account.path}/{folder}", server.host, account.user, server.port, options)


def trust(home: Path, server: SshServer) -> None:
    file = home / ".ssh" / "known_hosts"
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with file.open("a") as stream:
        stream.write(server.known_hosts())


def test_all_is_well(ssh_server: SshServer, home: Path, try_out: Try) -> None:
    trust(home, ssh_server)
    found = try_out(spec_of(ssh_server, "some/new/place"))
    for step in found.values():
        print(step)
    assert [step.state for step in found.values()] == [State.OK] * len(STEPS)
    assert list(ssh_server.shell.folder.iterdir()) == []
