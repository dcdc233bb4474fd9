"""Transfers over a real sshd, with and without a shell: the same promises, also on a link that breaks."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import builders
import servers
from modelkeep.core.engine.cache import Cache, open_cache
from modelkeep.core.engine.objectstore import ObjectStore
from modelkeep.core.engine.transfer import Wanted, plan_transfer, prove, run_transfer
from modelkeep.core.errors import CorruptObject
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.stores.registry import open_store
from modelkeep.core.values import ObjectId

FILES = {f"f{n:03}": builders.some_bytes(700 + n, seed=n) for n in range(150)} | {
    "big.bin": builders.some_bytes(3 << 20, seed=999)
}
Open = Callable[..., ObjectStore]


@pytest.fixture(params=["shell", "sftp_only"])
def account(request: pytest.FixtureRequest, ssh_server: servers.SshServer) -> servers.Account:
    """Each kind of account in turn, its storage empty."""
    account: servers.Account | None = getattr(ssh_server, request.param)
    if account is None:
        pytest.skip(servers.NO_ROOT)
    shutil.rmtree(account.folder / "store", ignore_errors=True)
    return account


@pytest.fixture
def storage(ssh_server: servers.SshServer, account: servers.Account) -> Iterator[Open]:
    """Open the storage on the server, over another port if given."""
    opened: list[ObjectStore] = []

    def call(port: int | None = None, folder: str = "store") -> ObjectStore:
        spec = RemoteSpec(
            "ssh",
            f"{account.path}/{folder}",
            ssh_server.host,
            account.user,
            port or ssh_server.port,
            {"keyfile": str(ssh_server.key)},
        )
        opened.append(ObjectStore(open_store(spec, servers.Login(), wait=lambda _: None), "the server"))
        return opened[-1]

    yield call
    for one in opened:
        one.close()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache."""
    return open_cache(tmp_path / "cache", tmp_path / "quarantine")


def put_folder(root: Path) -> Wanted:
    rows = [{"md5": builders.put_object(root, FILES[n]), "relpath": n} for n in sorted(FILES)]
    oid = ObjectId(builders.put_object(root, json.dumps(rows).encode(), suffix=".dir"), is_dir=True)
    return Wanted(oid, "data")


def test_there_and_back_with_damage_on_both_sides(
    storage: Open, account: servers.Account, cache: Cache, tmp_path: Path
) -> None:
    remote, folder = storage(), put_folder(cache.root)
    local = cache.path(ObjectId(builders.md5(FILES["f007"])))
    local.chmod(0o644)
    local.write_bytes(b"damaged")
    progress = Progress()
    plan = plan_transfer(cache, remote, [folder], progress)
    result = run_transfer(plan, cache, remote, progress)
    [(failed, error)] = result.failed
    assert failed.label == "data/f007" and isinstance(error, CorruptObject)
    assert result.copied == len(FILES) - 1 and not remote.present([folder.oid])

    builders.put_object(cache.root, FILES["f007"])
    plan = plan_transfer(cache, remote, [folder])
    assert len(plan.copy) == 2 and run_transfer(plan, cache, remote).copied == 2
    assert prove(remote, [folder], source=cache) == ()

    there = account.folder / "store" / ObjectId(builders.md5(FILES["f009"])).key
    there.write_bytes(FILES["f009"][:-1] + b"!")
    fresh = open_cache(tmp_path / "fresh", tmp_path / "quarantine")
    result = run_transfer(plan_transfer(remote, fresh, [folder]), remote, fresh)
    assert [failed.label for failed, _ in result.failed] == ["data/f009"]
    assert result.copied == len(FILES) - 1 and not fresh.present([folder.oid])
    assert not fresh.verify(ObjectId(builders.md5(data)) for data in FILES.values())


def test_from_one_server_to_another(storage: Open, account: servers.Account, cache: Cache) -> None:
    shutil.rmtree(account.folder / "other", ignore_errors=True)
    first, second, folder = storage(), storage(folder="other"), put_folder(cache.root)
    run_transfer(plan_transfer(cache, first, [folder]), cache, first)
    result = run_transfer(plan_transfer(first, second, [folder]), first, second)
    assert result.failed == () and result.copied == len(FILES) + 1
    assert prove(second, [folder], source=cache) == ()


@pytest.mark.parametrize("direction", ["push", "fetch"])
def test_a_broken_link_is_resumed_and_nothing_wrong_remains(
    ssh_server: servers.SshServer,
    account: servers.Account,
    storage: Open,
    cache: Cache,
    tmp_path: Path,
    home: Path,
    direction: str,
) -> None:
    folder = put_folder(cache.root)
    direct = storage()
    if direction == "fetch":
        run_transfer(plan_transfer(cache, direct, [folder]), cache, direct)
        cache = open_cache(tmp_path / "fresh", tmp_path / "quarantine")
    with servers.link_to(ssh_server) as link:
        (home / ".ssh").mkdir(exist_ok=True)
        with (home / ".ssh/known_hosts").open("a") as known:
            known.write(ssh_server.known_hosts(port=link.port))
        remote = storage(link.port)
        source, target = (cache, remote) if direction == "push" else (remote, cache)
        plan = plan_transfer(source, target, [folder])
        if direction == "push":
            link.cut_up = 1 << 20
        else:
            link.cut_down = 1 << 20
        result = run_transfer(plan, source, target)
        assert result.copied == len(plan.copy) and not result.failed and link.connections > 1
        remote.close()
    assert prove(direct, [folder], source=cache) == ()
    assert not cache.verify([folder.oid, *(ObjectId(builders.md5(data)) for data in FILES.values())])


def test_cancel_ends_a_transfer_on_a_frozen_link(
    ssh_server: servers.SshServer, storage: Open, cache: Cache, home: Path
) -> None:
    folder = put_folder(cache.root)
    with servers.link_to(ssh_server) as link:
        (home / ".ssh").mkdir(exist_ok=True)
        (home / ".ssh/known_hosts").write_text(ssh_server.known_hosts(port=link.port))
        remote = storage(link.port)
        plan = plan_transfer(cache, remote, [folder])
        progress = Progress()
        link.freeze()
        timer = threading.Timer(0.3, progress.cancel)
        timer.start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            run_transfer(plan, cache, remote, progress)
        assert time.monotonic() - began < 2.3
        timer.join()
        link.thaw()
        remote.close()
    direct = storage()
    run_transfer(plan_transfer(cache, direct, [folder]), cache, direct)
    assert prove(direct, [folder], source=cache) == ()
