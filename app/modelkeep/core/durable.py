"""The one way to write a file: temporary name, verify, sync, rename, sync the folder (safety rule R1).

What stands here survives a power cut as soon as the call has returned, and at no moment is there a half
written file under a final name. `write_file` does it for one small file (metafiles, config, our own state),
`Batch` for many objects at the price of two syncs of the file system instead of two per file. The only lines
that rename are after the only lines that sync. Knows nothing of what the bytes mean.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from modelkeep.core.errors import StoreFailed
from modelkeep.core.leftovers import sweep_once, temp_name
from modelkeep.core.paths import Tree

#: How data is opened to be read: a pipe in the place of a file must not keep the reader waiting.
READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
#: From this many files on, syncing the file system once is cheaper than syncing each.
MANY = 8


def write_file(tree: Tree, relpath: str, data: bytes, *, mode: int | None = None) -> None:
    """Replace or create `relpath` durably and atomically; creates missing folders.

    `mode` defaults to the mode of the file that is replaced, else to the user's umask. Raises StoreFailed
    with the cause; then the old file is untouched and no temporary file stays.
    """
    with _os_errors(relpath), tree.parent(relpath, create=True) as (fd, name):
        sweep_once(os.fspath(tree.path(relpath).parent))
        temp = _sibling(name)
        try:
            _create(temp, data, _mode_for(name, fd, mode), fd)
            os.replace(temp, name, src_dir_fd=fd, dst_dir_fd=fd)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temp, dir_fd=fd)
            raise
        sync_folder(fd if fd is not None else os.path.dirname(name))


def open_new(path: str, mode: int = 0o666) -> int:
    """The new file `path`, open for reading and writing; FileExistsError if there is anything. Not durable."""
    return os.open(path, _NEW, mode)


def _create(temp: str, data: bytes, mode: int | None, dir_fd: int | None) -> None:
    file = os.open(
        temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600, dir_fd=dir_fd
    )
    try:
        write_all(file, data)
        if mode is not None:
            os.chmod(file if os.chmod in os.supports_fd else temp, mode)
        _fsync(file)
    finally:
        os.close(file)


def _mode_for(name: str, dir_fd: int | None, mode: int | None) -> int | None:
    if mode is not None:
        return mode
    try:
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode & 0o777
    except FileNotFoundError:
        return None


def _sibling(name: str) -> str:
    return os.path.join(os.path.dirname(name), temp_name())


class Batch:
    """Many files written beneath `tree`, made durable together and then renamed together.

    `stage` writes one file under a temporary name; `commit` syncs, renames all and syncs the folders;
    `discard` (also on leaving the `with` block by an exception) removes what was not renamed. `stage` may be
    called from several threads; `commit` from one. After a kill, at most temporary files are left.
    """

    def __init__(self, tree: Tree, *, mode: int | None = 0o444, folder_mode: int | None = None) -> None:
        """`folder_mode` is set on each last folder that is made (a cache shared by a group)."""
        self._tree = tree
        self._mode = mode
        self._folder_mode = folder_mode
        self._root = os.path.join(tree.root, "")
        self._staged: list[tuple[str, str]] = []  # (temporary name, final name)
        self._temps = _temp_names()
        self._folders: set[str] = set()
        self._holders: set[str] = set()  # folders in which a new one was made
        self._masked: bool | None = None  # whether the umask takes something from `mode`; None: not seen yet
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._staged)

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()

    def stage(self, relpath: str, chunks: Iterable[bytes], folder: str | None = None) -> int:
        """Write `chunks` for `relpath` and return the number of bytes; temporarily in `folder`, or beside it.

        If iterating `chunks` raises (a hash that does not match, Cancelled, a broken connection), the
        temporary file is removed and the exception passes; the rest of the batch is unaffected.
        """
        return self.stage_by(relpath, functools.partial(_write_chunks, chunks=chunks), folder)

    def stage_by(self, relpath: str, fill: Callable[[int], int], folder: str | None = None) -> int:
        """Like `stage`, but `fill(file descriptor)` writes the content (to clone or copy in the kernel)."""
        if folder is None:
            folder = relpath.rpartition("/")[0]
        return self.stage_as(folder, fill, lambda: relpath, label=relpath)

    def stage_as(
        self, folder: str, fill: Callable[[int], int], name: Callable[[], str | None], *, label: str = ""
    ) -> int:
        """Write a file whose name its content decides: temporarily in `folder`, then under `name()`.

        `name` is asked when the content is complete; None drops it (the same content is there already).
        `label` is what an error calls it.
        """
        temp = f"{folder}/{next(self._temps)}" if folder else next(self._temps)
        try:
            written, final = self._write(folder, self._root + temp, fill, name)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise store_failed(error, label or folder) from error
        if final is not None:
            self._staged.append((temp, final))
        return written

    def stage_whole(self, relpath: str, data: bytes, folder: str, *, label: str = "") -> None:
        """Like `stage` for a small content that is at hand: in few steps, because there are masses of them."""
        temp = f"{folder}/{next(self._temps)}" if folder else next(self._temps)
        path = self._root + temp
        try:
            for one in (folder, relpath.rpartition("/")[0]):
                if one not in self._folders:
                    self._make_folder(one)
            file = os.open(path, _NEW, 0o666 if self._mode is None else self._mode)
            try:
                write_all(file, data)
                if self._masked is not False:
                    self._give_mode(file, path)
            except BaseException:
                os.close(file)
                os.unlink(path)
                raise
            os.close(file)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise store_failed(error, label or relpath) from error
        self._staged.append((temp, relpath))

    def _write(
        self, folder: str, path: str, fill: Callable[[int], int], name: Callable[[], str | None]
    ) -> tuple[int, str | None]:
        if folder not in self._folders:
            self._make_folder(folder)
        file = open_new(path, 0o666 if self._mode is None else self._mode)
        try:
            written = fill(file)
            if self._masked is not False:
                self._give_mode(file, path)
            final = name()
            if final is not None and (place := final.rpartition("/")[0]) not in self._folders:
                self._make_folder(place)
        except BaseException:
            os.close(file)
            os.unlink(path)
            raise
        os.close(file)
        if final is None:
            os.unlink(path)
        return written, final

    def _give_mode(self, file: int, path: str) -> None:
        """The system made the file with `mode` less the umask: most often that is what was wanted."""
        if self._mode is None:
            return
        if self._masked is None:
            self._masked = stat.S_IMODE(os.fstat(file).st_mode) != self._mode
        if self._masked:
            os.chmod(file if os.chmod in os.supports_fd else path, self._mode)

    def _make_folder(self, folder: str) -> None:
        path = self._root + folder
        fresh = not os.path.isdir(path)
        with self._tree.parent(f"{folder}/x" if folder else "x", create=True, synced=False):
            if fresh and self._folder_mode is not None:
                os.chmod(path, self._folder_mode)
        with self._lock:
            self._folders.add(folder)
            while fresh and folder:  # `commit` syncs the folders above, which this one is new in
                folder = folder.rpartition("/")[0]
                self._holders.add(folder)

    def commit(self) -> None:
        """Make everything staged durable under its final name. On an error nothing is half renamed wrongly:
        files renamed so far are complete and durable, the rest is discarded."""
        staged, self._staged = self._staged, []
        if not staged:
            return
        root = self._root
        done = 0
        try:
            with _os_errors(staged[0][1]):
                sync_files(root, [temp for temp, _ in staged])
                for temp, final in staged:
                    os.replace(root + temp, root + final)
                    done += 1
                folders = {final.rpartition("/")[0] for _, final in staged}
                # Those above as well: a run that was killed or gave up may have made a folder and not synced it.
                above = {folder.rpartition("/")[0] for folder in folders}
                self._sync_folders(root, folders | above | self._holders)
                self._holders = set()
        except BaseException:
            self._staged = staged[done:]
            self.discard()
            raise

    def discard(self) -> None:
        """Remove the temporary files of everything not committed."""
        staged, self._staged = self._staged, []
        for temp, _ in staged:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._root + temp)

    @staticmethod
    def _sync_folders(root: str, folders: set[str]) -> None:
        if len(folders) > MANY and sync_disks(root, folders):
            return
        for folder in folders:
            sync_folder(os.path.join(root, folder))


def _temp_names() -> Iterator[str]:
    """Names like those of `temp_name`, of which the end counts: one for each of many files costs little then."""
    while True:
        begin = temp_name()[:-10]
        yield from (f"{begin}{number:06}.tmp" for number in range(1_000_000))


def _write_chunks(file: int, chunks: Iterable[bytes]) -> int:
    written = 0
    for chunk in chunks:
        write_all(file, chunk)
        written += len(chunk)
    return written


def write_all(file: int, chunk: bytes) -> None:
    """Write all of `chunk` to an open file; the operating system may take it in parts."""
    count = os.write(file, chunk)
    while count < len(chunk):
        count += os.write(file, memoryview(chunk)[count:])


# -- what differs between operating systems ------------------------------------------------------------


def sync_file(path: str) -> None:
    """Make the content of the file at `path` durable."""
    file = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        _fsync(file)
    finally:
        os.close(file)


def sync_files(root: str, relpaths: Sequence[str]) -> None:
    """Make the contents of these files beneath `root` durable, all at once where they are many."""
    if len(relpaths) > MANY and sync_disks(root, {relpath.rpartition("/")[0] for relpath in relpaths}):
        return
    for relpath in relpaths:
        sync_file(os.path.join(root, relpath))


def sync_folder(folder: str | int) -> None:
    """Make the names in `folder` (a path or an open descriptor) durable; a no-op where that is implied."""
    if os.name == "nt":
        return
    if isinstance(folder, int):
        os.fsync(folder)
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(path: str) -> None:
    """Make the folder at `path` and those above it that are missing, each with a durable name."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    if above != path:
        make_folder(above or ".")
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
    sync_folder(above or ".")


def sync_disks(root: str, folders: Iterable[str]) -> bool:
    """Make everything durable on each file system that one of `folders` beneath `root` lies on: a cache's
    folder may be a disk of its own. False where the system cannot."""
    disks: dict[int, str] = {}
    for folder in folders:
        path = os.path.join(root, folder)
        disks.setdefault(os.stat(path).st_dev, path)
    return all(sync_file_system(path) for path in disks.values())


def sync_file_system(path: str) -> bool:
    """Make everything on the file system that holds `path` durable; False where the system cannot."""
    syncfs = _syncfs()
    if syncfs is None:
        return False
    fd = os.open(path, os.O_RDONLY)
    try:
        error = syncfs(fd)
    finally:
        os.close(fd)
    if error:
        raise OSError(error, os.strerror(error), path)
    return True


@functools.cache
def _syncfs() -> Callable[[int], int] | None:
    """The system's own call for an open descriptor, which returns the number of the error or 0."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    return None if call is None else lambda fd: ctypes.get_errno() if call(fd) else 0


def _fsync(file: int) -> None:
    if sys.platform == "darwin":  # pragma: no cover - fsync alone leaves the data in the drive's cache
        import fcntl

        try:
            fcntl.fcntl(file, fcntl.F_FULLFSYNC)
            return
        except OSError:
            pass
    os.fsync(file)


_CAUSES = {
    errno.ENOSPC: ("There is no space left on the disk", "Free some space and try again; nothing was lost."),
    errno.EDQUOT: ("Your disk quota is used up", "Free some space and try again; nothing was lost."),
    errno.EROFS: ("The file system is read-only", "Make it writable, or choose another place."),
    errno.EACCES: ("Permission is denied", "Check who owns the folder and its permissions."),
    errno.EPERM: ("The operation is not permitted", "Check who owns the folder and its permissions."),
    errno.EMFILE: ("Too many files are open", "Close other programs or raise the limit of open files."),
    errno.ENAMETOOLONG: ("The name is too long for the disk", "Shorten the name."),
}


@contextlib.contextmanager
def _os_errors(relpath: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise store_failed(error, relpath) from error


def store_failed(error: OSError, relpath: str) -> StoreFailed:
    """The operating system's refusal to write `relpath` as an error a person understands."""
    cause, hint = _CAUSES.get(error.errno or 0, (error.strerror or str(error), ""))
    return StoreFailed(f"{relpath} could not be written: {cause}.", hint=hint, paths=(relpath,))
