"""Where on disk a job runs: a folder that goes away with all it holds, on the disk as it is or on a fresh one.

A fresh file system in a file (root only) is free of what earlier deletions left behind, and goes away at once.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.stage import delete
from servers import Account, SshServer

_SIZE = "24G"  # sparse: only what is written takes room


@contextmanager
def own_folder(base: Path) -> Iterator[Path]:
    """A folder in `base` that others may pass through, because servers read in it as another user."""
    base.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="modelkeep-bench-", dir=base))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        delete(folder)


@contextmanager
def job_folder(base: Path, disk: str, server: SshServer | None) -> Iterator[Path]:
    """An empty folder for one job; with a `disk` (ext4, xfs, btrfs) on a file system of its own.

    The accounts of the server then have their folders there too. What a job left with them is deleted.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(own_folder(base))
        accounts = [one for one in (server.shell, server.sftp_only) if one] if server else []
        if disk:
            folder = stack.enter_context(_mounted(folder, disk))
            for account in accounts:
                stack.enter_context(_moved(account, folder / account.user))
        try:
            yield folder
        finally:
            for account in accounts:
                for left in account.folder.iterdir():
                    delete(left)


@contextmanager
def _mounted(folder: Path, disk: str) -> Iterator[Path]:
    image, point = folder / "image", folder / "disk"
    point.mkdir()
    subprocess.run(["truncate", "-s", _SIZE, image], check=True)
    subprocess.run([f"mkfs.{disk}", "-q", image], check=True)
    # Directly, because through the cache of the disk below every sync would cost three times what a disk takes.
    losetup = ["losetup", "--find", "--show", "--direct-io=on", str(image)]
    device = subprocess.run(losetup, check=True, capture_output=True, text=True).stdout.strip()
    try:
        subprocess.run(["mount", device, point], check=True)
        try:
            yield point
        finally:
            _unmount(point)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


@contextmanager
def _moved(account: Account, to: Path) -> Iterator[None]:
    to.mkdir()
    shutil.chown(to, account.user)
    subprocess.run(["mount", "--bind", to, account.folder], check=True)
    try:
        yield
    finally:
        _unmount(account.folder)


def _unmount(point: Path) -> None:
    """Unmount, with patience for programs that are just ending there."""
    for _ in range(50):
        if subprocess.run(["umount", point], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.2)
    raise OSError(f"{point} stays busy")
