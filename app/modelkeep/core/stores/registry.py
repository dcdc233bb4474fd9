"""Opens the store a remote describes and stacks the wrappers around it. Knows no format and no project."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from modelkeep.core.errors import Unsupported
from modelkeep.core.stores.base import LoginProvider, RemoteSpec, Store
from modelkeep.core.stores.limits import DEFAULT, Limits

SUPPORTED = ("local", "ssh")


def open_store(
    spec: RemoteSpec,
    login: LoginProvider,
    *,
    limits: Limits = DEFAULT,
    wait: Callable[[float], None] = time.sleep,
) -> Store:
    """The store `spec` describes; nothing is touched or connected yet. Raises Unsupported for other kinds.

    `login` is asked only when a server wants it. `limits` are the time-outs of network stores; `wait` is the
    clock of the pauses between attempts.
    """
    if spec.kind == "local":
        return _open_local(spec)
    if spec.kind == "ssh":
        from modelkeep.core.stores.retry import RetryingStore
        from modelkeep.core.stores.ssh import SshStore

        return RetryingStore(SshStore(spec, login, limits=limits), wait=wait)
    raise Unsupported(
        f"Remotes of the kind {spec.kind!r} are not supported yet.",
        hint="Supported now are folders (also on a mounted drive) and ssh://user@host/path.",
    )


def login_address(spec: RemoteSpec) -> str | None:
    """The user@host:port a login for `spec` is bound to, after ~/.ssh/config; None where no login exists."""
    if spec.kind != "ssh":
        return None
    from modelkeep.core.stores.ssh_config import resolve

    return str(resolve(spec.host, spec.user, spec.port).address)


def _open_local(spec: RemoteSpec) -> Store:
    from modelkeep.core.stores.local import LocalStore

    shared = spec.options.get("shared") == "group"
    return LocalStore(Path(spec.path), dir_mode=0o2775 if shared else None)
