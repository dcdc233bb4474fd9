"""The words of the tests of a remote's live test: what is tried, and the one step that failed."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import servers
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.workflows.remote_test import State, Step
from servers import SshServer

needs_root = pytest.mark.skipif(not servers.IS_ROOT, reason=servers.NO_ROOT)

_NUMBERS = itertools.count()
Found = dict[str, Step]
Try = Callable[..., Found]


def own_folder(account: servers.Account) -> servers.Account:
    """The account in a new folder of its own, for one test."""
    folder = account.folder / f"trial-{next(_NUMBERS)}"
    folder.mkdir()
    shutil.chown(folder, account.user)
    return replace(account, folder=folder, path=f"{account.path}/{folder.name}")


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
