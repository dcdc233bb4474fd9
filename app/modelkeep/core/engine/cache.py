"""The objects on this machine: files come in by one pass of hashing and copying, and go out only verified.

An object is never believed for being read-only: mode 0444 is set here because DVC expects it. Knows the
workspace as a Tree of paths, and nothing of outputs, metafiles or Git.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from modelkeep.core.durable import READING, Batch, make_folder, store_failed, write_all
from modelkeep.core.engine.cache_copy import SMALL, copy_hashing, read_small
from modelkeep.core.engine.cache_insert import Inserted, Insertion, Source
from modelkeep.core.engine.hashing import hash_bytes
from modelkeep.core.engine.objectstore import ObjectStore
from modelkeep.core.engine.statmemory import StatMemory
from modelkeep.core.errors import CorruptObject, NotFound, StoreFailed
from modelkeep.core.leftovers import STALE, flocked, sweep
from modelkeep.core.paths import Tree
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores.local import LocalStore
from modelkeep.core.values import ObjectId

__all__ = ["Cache", "Inserted", "Source", "open_cache"]

BATCH_FILES = 2000
BATCH_BYTES = 256 << 20
#: Seconds; the same as STALE where no insertion is at work: what is younger may be DVC's, which tells nobody.
_MOMENT = 300.0
#: The same while somebody is at work, who may take long for one huge file.
_AGES = 86400.0
_OBJECTS = "files/md5"


def open_cache(root: Path, quarantine: Path, *, shared: bool = False) -> Cache:
    """The cache in the folder `root`; `shared` makes its folders writable for the group (`cache.shared`).

    `quarantine` is the folder for objects found to be wrong. Nothing is created before something is stored.
    """
    return Cache(root, quarantine, shared=shared)


class Cache(ObjectStore):
    """The cache in a local folder. All but `insert_files` and `put` is safe from several threads."""

    def __init__(self, root: Path, quarantine: Path, *, shared: bool = False) -> None:
        self._dir_mode = 0o2775 if shared else None
        super().__init__(LocalStore(root, dir_mode=self._dir_mode), "the cache")
        self.root = root
        self._quarantine = quarantine
        self._tree = Tree(root)
        self._top = os.path.join(root, "")
        self._folders: dict[str, str] = {}

    def path(self, oid: ObjectId) -> Path:
        """Where the object lies or would lie."""
        assert isinstance(self.store, LocalStore)
        return self.store.path(oid.key)

    # -- in --------------------------------------------------------------------------------------------

    def insert_files(
        self,
        tree: Tree,
        files: Iterable[Source],
        progress: Progress = SILENT,
        *,
        memory: StatMemory | None = None,
    ) -> dict[str, Inserted]:
        """Put workspace files into the cache; return what each became, by path. Durable when this returns.

        A file is read once, or not at all where `memory` knows it and an object of its size is there; a file
        that is read also replaces an object that may have been damaged. Reports bytes and files. Raises
        StoreFailed if space is short (before anything is written), Refused for what is no regular file or was
        written to meanwhile, NotFound, Cancelled; batches finished before stay.
        """
        inserted: dict[str, Inserted] = {}
        waiting: list[Source] = []
        for source in files:
            known = memory.known(source.status) if memory else None
            if known is not None and self.has(ObjectId(known), source.status.st_size):
                inserted[source.path] = Inserted(known, source.status.st_size)
                progress.advance(source.status.st_size, files=1)
            else:
                waiting.append(source)
        if waiting:
            self._prepare()
            self._check_space(sum(source.status.st_size for source in waiting))
        insertion = Insertion(tree, _OBJECTS, self._name, memory, progress)
        for group in _groups(waiting):
            with self._at_work(), self._batch() as batch:
                inserted |= insertion.run(batch, group)
        return inserted

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        """While it lasts, no program takes the temporary files of insertions for leftovers."""
        with flocked(os.path.join(self.root, _OBJECTS), alone=False):
            yield

    def put(self, data: bytes, *, is_dir: bool = False) -> ObjectId:
        """Store `data` (a manifest, with `is_dir`) as an object, durably. Its files must be there before."""
        self._prepare()
        oid = ObjectId(hash_bytes(data), is_dir=is_dir)
        with self._batch() as batch:
            batch.stage(oid.key, (data,))
        return oid

    def lacking(
        self, hashes: Iterable[str], *, legacy: bool = False, progress: Progress = SILENT
    ) -> set[str]:
        """Those of `hashes`, names of files' objects, that are not here now. Really asks, for each one.

        For a look at hundred thousands of files: makes no value for each, and tells nothing of their sizes.
        """
        root = os.fspath(self.root) if legacy else f"{self.root}/files/md5"
        absent = set()
        for count, name in enumerate(hashes):
            if not count % 1024:
                progress.check()
            try:
                os.stat(f"{root}/{name[:2]}/{name[2:]}")
            except OSError:
                absent.add(name)
        return absent

    def has(self, oid: ObjectId, size: int) -> bool:
        """Whether there is an object of this size now. One of another size is moved into quarantine."""
        there = self._lstat(oid)
        if there is None:
            return False
        if stat.S_ISLNK(there.st_mode):
            there = os.stat(self.path(oid))  # DVC may have linked an object from elsewhere
        if stat.S_ISREG(there.st_mode) and there.st_size == size:
            return True
        self.quarantine(oid)
        return False

    def _lstat(self, oid: ObjectId) -> os.stat_result | None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return os.lstat(self._top + oid.key)
        return None

    def _name(self, digest: str, size: int, source: os.stat_result) -> str | None:
        """The key for new content; None if the file that was read *is* the object (a hard link)."""
        key = f"{_OBJECTS}/{digest[:2]}/{digest[2:]}"
        path = self._top + key
        if not os.access(path, os.F_OK):  # the quickest question; a link that leads nowhere is replaced, too
            return key
        there = os.lstat(path)
        if os.path.samestat(there, source):
            return None
        if there.st_size != size:
            self.quarantine(ObjectId(digest))
        return key

    def _batch(self) -> Batch:
        return Batch(self._tree, folder_mode=self._dir_mode)

    def _prepare(self) -> None:
        try:
            for path in (self.root, self.root / "files", self.root / _OBJECTS):
                if path is not self.root:
                    self._tree.path(f"{path.relative_to(self.root).as_posix()}/x")  # no link leads elsewhere
                if not path.is_dir():
                    make_folder(os.fspath(path))
                    if self._dir_mode is not None:
                        path.chmod(self._dir_mode)
        except OSError as error:
            raise store_failed(error, str(self.root)) from error
        top = os.path.join(self.root, _OBJECTS)
        with flocked(top, alone=True) as is_alone:
            sweep(top, _MOMENT if is_alone else _AGES)

    def _check_space(self, need: int) -> None:
        need += need // 20
        free = self.store.free_space()
        if free is not None and free < need:
            raise StoreFailed(
                f"There is not enough space in {self.root}: {need:,} bytes are needed, {free:,} are free.",
                hint="Free some space and try again; nothing was changed.",
            )

    # -- out -------------------------------------------------------------------------------------------

    def copy_out(self, oid: ObjectId, target: int, progress: Progress = SILENT) -> int:
        """Fill the open file `target` with the object and return its size: a clone where possible, hashed.

        Reports bytes and raises NotFound, or CorruptObject after the last byte; the object is then in
        quarantine, and the caller must not keep the file.
        """
        if oid.legacy:
            return self._copy_out_stream(oid, target, progress)
        try:
            file = os.open(self.where(oid), READING)
        except FileNotFoundError:
            raise self.missing(oid) from None
        try:
            facts = os.fstat(file)
            if not stat.S_ISREG(facts.st_mode):
                raise self.missing(oid)
            if facts.st_size <= SMALL:
                return self._copy_out_small(oid, file, target, facts.st_size, progress)
            actual, size = copy_hashing(file, target, facts.st_size, progress.advance)
        finally:
            os.close(file)
        if actual != oid.hash:
            raise self._damaged(oid, actual)
        return size

    def _copy_out_small(self, oid: ObjectId, file: int, target: int, size: int, progress: Progress) -> int:
        """Reads all of it first: no byte of a damaged object is written."""
        data = read_small(file, size)
        actual = hash_bytes(data)
        progress.advance(len(data))
        if actual != oid.hash:
            raise self._damaged(oid, actual)
        write_all(target, data)
        return len(data)

    def _damaged(self, oid: ObjectId, actual: str) -> CorruptObject:
        self.quarantine(oid)
        return CorruptObject(oid.name, self.name, actual=actual, hint="Fetch it again.")

    def where(self, oid: ObjectId) -> str:
        """The path of an object that is read and hashed now; its folder was looked at once for all of them."""
        folder, _, name = oid.key.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = os.path.dirname(self.path(oid))
        return f"{self._folders[folder]}/{name}"

    def check(self, oid: ObjectId, progress: Progress = SILENT) -> None:
        """Read the object and raise CorruptObject if its bytes are wrong; it is then in quarantine.

        Reports bytes; raises NotFound.
        """
        try:
            for chunk in self.stream(oid, progress):
                progress.advance(len(chunk))
        except CorruptObject:
            self.quarantine(oid)
            raise

    def missing(self, oid: ObjectId) -> NotFound:
        """The error that says that the object is not here."""
        return NotFound(f"Object {oid.name} is not in {self.name}.", paths=(oid.name,))

    def _copy_out_stream(self, oid: ObjectId, target: int, progress: Progress) -> int:
        size = 0
        try:
            for chunk in self.stream(oid, progress):
                write_all(target, chunk)
                size += len(chunk)
                progress.advance(len(chunk))
        except CorruptObject:
            self.quarantine(oid)
            raise
        return size

    def quarantine(self, oid: ObjectId) -> Path | None:
        """Move a wrong object out of the way, never to be used again; return where it is now."""
        moment = time.strftime("%Y%m%d-%H%M%S")
        place = self._quarantine / f"{oid.name}.{moment}.{os.urandom(4).hex()}"
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self.path(oid), place)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise store_failed(error, str(place)) from error
        return place

    # -- order -----------------------------------------------------------------------------------------

    def sweep(self, *, older: float = STALE) -> int:
        """Remove temporary files that killed programs left, and return how many.

        Those younger than `older` seconds may belong to somebody at work, and stay.
        """
        top = os.path.join(self.root, _OBJECTS)
        folders = [top, *(os.path.join(top, f"{number:02x}") for number in range(256))]
        with flocked(top, alone=True) as is_alone:
            return sum(sweep(folder, older if is_alone else _AGES) for folder in folders)


def _groups(sources: Iterable[Source]) -> Iterator[list[Source]]:
    """`sources` in batches that are made durable together."""
    group: list[Source] = []
    size = 0
    for source in sources:
        group.append(source)
        size += source.status.st_size
        if len(group) >= BATCH_FILES or size >= BATCH_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group
