"""A store in a local or mounted folder. Knows nothing of what the bytes mean; all writing is core.durable's."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from modelkeep.core.durable import READING, Batch, make_folder, store_failed, sync_file_system, sync_folder
from modelkeep.core.errors import StoreFailed, UnsafePath
from modelkeep.core.leftovers import flocked, sweep
from modelkeep.core.paths import Tree, safe_relpath
from modelkeep.core.progress import SILENT, Cancelled, Progress
from modelkeep.core.stores.base import Done, Failed, Incoming, Item, Store, Traits, checked, missing

BATCH_FILES = 2000
BATCH_BYTES = 256 << 20
_CHUNK = 1 << 20
#: Seconds: what killed programs left is swept where new files are staged, once no clock can be so wrong.
_STALE = 86400.0

# LocalStore.list hides the built-in name inside the class.
_Names = list[str]
_Items = list[Item]


class LocalStore(Store):
    """Files beneath `root`, written 0444 like DVC's. Safe from several threads.

    `dir_mode` is given to the folders it makes (a shared cache: 0o2775); None leaves them to the umask.
    """

    def __init__(self, root: Path, *, dir_mode: int | None = None, file_mode: int = 0o444) -> None:
        self.root = Path(root)
        self._dir_mode = dir_mode
        self._file_mode = file_mode
        self._tree = Tree(self.root)

    @property
    def traits(self) -> Traits:
        return Traits(connections=2, is_local=True)

    def describe(self) -> str:
        return str(self.root)

    def path(self, key: str) -> Path:
        """Where `key` lies or would lie."""
        return self._tree.path(checked(key))

    def prepare(self) -> None:
        try:
            self._make_folders("")
            probe = Batch(self._tree)
            probe.stage("probe", (b"",))
            probe.discard()
        except OSError as error:
            raise store_failed(error, str(self.root)) from error

    # -- reading ---------------------------------------------------------------------------------------

    def sizes(self, keys: Iterable[str], *, progress: Progress = SILENT) -> dict[str, int]:
        found: dict[str, int] = {}
        root = os.fspath(self.root)
        for count, key in enumerate(keys):
            if count % 256 == 0:
                progress.check()
            try:  # what a link leads to counts: DVC may have linked an object from elsewhere
                status = os.stat(f"{root}/{checked(key)}")
            except (FileNotFoundError, NotADirectoryError):
                continue
            if stat.S_ISREG(status.st_mode):
                found[key] = status.st_size
        return found

    def list(self, prefix: str, *, progress: Progress = SILENT) -> Iterator[Item]:
        folders = [checked(prefix)] if prefix else [""]
        while folders:
            progress.check()
            folder = folders.pop()
            try:
                entries = os.scandir(self.root / folder)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise _unreadable(folder or str(self.root), error) from error
            with entries:
                yield from self._scan(folder, entries, folders)

    def _scan(self, folder: str, entries: Iterable[os.DirEntry[str]], deeper: _Names) -> Iterator[Item]:
        for entry in entries:
            key = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.endswith(".tmp") or not _is_key(key):
                continue
            if entry.is_dir(follow_symlinks=False):
                deeper.append(key)
            elif entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    yield Item(key, entry.stat(follow_symlinks=False).st_size)

    def read_many(
        self, keys: Iterable[str], *, progress: Progress = SILENT
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        for key in keys:
            yield key, self.read(key, progress=progress)

    def read(self, key: str, *, offset: int = 0, progress: Progress = SILENT) -> Iterator[bytes]:
        path = self.path(key)
        try:
            number = os.open(path, READING)
        except (FileNotFoundError, NotADirectoryError):
            raise missing(key, self.describe()) from None
        except OSError as error:
            raise _unreadable(key, error) from error
        facts = os.fstat(number)
        if not stat.S_ISREG(facts.st_mode):
            os.close(number)
            raise missing(key, self.describe())
        try:
            if offset:
                os.lseek(number, offset, os.SEEK_SET)
            part = min(_CHUNK, facts.st_size + 1)  # room for 1 MiB costs more than reading a small object
            while chunk := os.read(number, part):
                progress.check()
                yield chunk
                part = _CHUNK
        except OSError as error:
            raise _unreadable(key, error) from error
        finally:
            os.close(number)

    # -- writing ---------------------------------------------------------------------------------------

    def write_many(self, items: Iterable[Incoming], progress: Progress, done: Done, failed: Failed) -> None:
        self._make_folders("")
        batch = Batch(self._tree, mode=self._file_mode, folder_mode=self._dir_mode)
        staged: list[Item] = []
        size = 0
        with contextlib.ExitStack() as held:
            held.callback(batch.discard)  # what is committed then is left
            ready = functools.cache(functools.partial(self._prepare_stage, held))
            for item in items:
                progress.check()
                written = self._stage(batch, item, ready, progress, failed)
                if written is None:
                    continue
                staged.append(Item(item.key, written))
                size += written
                if len(staged) >= BATCH_FILES or size >= BATCH_BYTES:
                    self._commit(batch, staged, done)
                    staged, size = [], 0
            self._commit(batch, staged, done)

    def _prepare_stage(self, held: contextlib.ExitStack, folder: str) -> None:
        """Make `folder` one to stage files in, which nobody takes for leftovers while `held` lasts."""
        self._make_folders(folder)
        place = os.fspath(self.root / folder)
        sweep(place, _STALE)
        held.enter_context(flocked(place, alone=False))

    def _stage(
        self,
        batch: Batch,
        item: Incoming,
        ready: Callable[[str], None],
        progress: Progress,
        failed: Failed,
    ) -> int | None:
        try:
            # Made in the folder above: new files spread over 256 folders take the disk twice as long.
            above = checked(item.key).rpartition("/")[0].rpartition("/")[0]
            ready(above)
            if item.whole is None:
                return batch.stage(item.key, _counted(item, progress), above)
            data = item.whole()
            written = len(data)
            progress.advance(written)
            if item.size is not None and written != item.size:
                raise _wrong_size(item, written)
            batch.stage_whole(item.key, data, above)
        except Cancelled:
            raise
        except Exception as error:  # whatever one object's content raises must not stop the others
            failed(item.key, error)
            return None
        return written

    @staticmethod
    def _commit(batch: Batch, staged: _Items, done: Done) -> None:
        batch.commit()
        for item in staged:
            done(item.key, item.size)

    def _make_folders(self, folder: str) -> None:
        target = self._tree.path(f"{folder}/x").parent if folder else self.root
        if target.is_dir():
            return
        above = target.parent
        if above != target and not above.is_dir():
            if folder:
                self._make_folders(folder.rpartition("/")[0])
            else:
                make_folder(os.fspath(above))
        try:
            target.mkdir(exist_ok=True)
            if self._dir_mode is not None:
                target.chmod(self._dir_mode)
            sync_folder(os.fspath(above))
        except OSError as error:
            raise store_failed(error, str(target)) from error

    def delete(self, key: str) -> None:
        try:
            self._tree.unlink(checked(key))
        except OSError as error:
            raise store_failed(error, key) from error

    def delete_many(self, keys: Iterable[str], *, progress: Progress = SILENT) -> None:
        """Durable when this returns: what is deleted after it never goes before it."""
        wanted = list(keys)
        super().delete_many(wanted, progress=progress)
        folders = {key.rpartition("/")[0] for key in wanted}
        if folders and not sync_file_system(os.fspath(self.root)):
            for folder in folders:
                with contextlib.suppress(FileNotFoundError):
                    sync_folder(os.fspath(self.root / folder))

    def modified(self, keys: Iterable[str], *, progress: Progress = SILENT) -> dict[str, float]:
        found: dict[str, float] = {}
        for count, key in enumerate(keys):
            if count % 256 == 0:
                progress.check()
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                found[key] = os.lstat(f"{self.root}/{checked(key)}").st_mtime
        return found

    def move(self, key: str, newkey: str) -> None:
        source = self.path(key)
        target = self.path(newkey)
        self._make_folders(newkey.rpartition("/")[0])
        try:
            os.replace(source, target)
            sync_folder(os.fspath(target.parent))
            sync_folder(os.fspath(source.parent))
        except FileNotFoundError:
            raise missing(key, self.describe()) from None
        except OSError as error:
            raise store_failed(error, newkey) from error

    def free_space(self) -> int | None:
        folder = self.root
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        try:
            import shutil

            return shutil.disk_usage(folder).free
        except OSError:
            return None

    def close(self) -> None:
        return


def _counted(item: Incoming, progress: Progress) -> Iterator[bytes]:
    size = 0
    for chunk in item.chunks:
        size += len(chunk)
        yield chunk
        progress.advance(len(chunk))
    if item.size is not None and size != item.size:
        raise _wrong_size(item, size)


def _wrong_size(item: Incoming, size: int) -> StoreFailed:
    return StoreFailed(f"{item.key} has {size} bytes where {item.size} were expected.", paths=(item.key,))


def _is_key(key: str) -> bool:
    try:
        safe_relpath(key)
    except UnsafePath:
        return False
    return True


def _unreadable(name: str, error: OSError) -> StoreFailed:
    return StoreFailed(
        f"{name} could not be read: {error.strerror or error}.",
        hint="Check the permissions, and that the drive is there.",
        paths=(name,),
    )
