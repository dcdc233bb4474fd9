"""The only place that turns untrusted names into paths. Knows nothing of Git, DVC or stores.

Names in a repository or on a server are data. `safe_relpath` decides whether a text may name something
beneath a folder at all; `Tree` is such a folder, and everything it does stays beneath it: parents are opened
one by one without following links, so a symbolic link placed by a repository leads nowhere (safety rule 5.1).
The rules are the same on every operating system, because what is written here is checked out there.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelkeep.core.errors import UnsafePath

_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$")
# Names that need no closer look: ASCII letters, digits, _ and -, with single dots between them.
_PLAIN = re.compile(r"(?a:[\w-]+(?:\.[\w-]+)*(?:/[\w-]+(?:\.[\w-]+)*)*)")
_FORBIDDEN_FIRST = {".git", ".dvc", ".hg"}
# Characters some file systems ignore when they compare names (HFS+), so ".g\u200cit" opens ".git".
_IGNORABLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
#: Bytes. No text of a project or of ours is larger; the largest is the lock of a huge pipeline.
TEXT_LIMIT = 32 << 20


def safe_relpath(text: str, *, inside_data: bool = False) -> str:
    """Return `text` if it names something beneath a folder, else raise UnsafePath.

    Accepts POSIX relative paths of real components only: no empty, `.` or `..` component, not absolute, no
    drive, no NUL, valid UTF-8. Components that mean `.git`, `.dvc` or `.hg` on any file system are refused
    at every depth. `inside_data` allows backslashes and colons: a manifest may name such files, written by
    colleagues on POSIX systems; they are still refused where the running system would misread them.
    """
    if not isinstance(text, str) or not text:
        raise UnsafePath("An empty path names nothing.")
    if os.name != "nt" and _PLAIN.fullmatch(text):
        return text
    shown = visible(text)
    if "\0" in text:
        raise UnsafePath(f"The path {shown} contains a NUL character.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UnsafePath(
            f"The name {shown} is not valid UTF-8.", hint="Rename the file; DVC cannot record such a name."
        ) from None
    if text.startswith("/") or (re.match(r"^[A-Za-z]:", text) and (os.name == "nt" or not inside_data)):
        raise UnsafePath(f"The path {shown} is absolute.")
    if "\\" in text and (os.name == "nt" or not inside_data):
        raise UnsafePath(f"The path {shown} contains a backslash.")
    for part in text.split("/"):
        _check_component(part, shown)
    return text


def is_plain(text: str) -> bool:
    """Whether `text` is made of such ordinary names that it is normalised, and needs no closer look anywhere."""
    return _PLAIN.fullmatch(text) is not None


def _check_component(part: str, shown: str) -> None:
    if part in ("", ".", ".."):
        raise UnsafePath(f"The path {shown} contains an empty, '.' or '..' part.")
    folded = unicodedata.normalize("NFKC", _IGNORABLE.sub("", part)).casefold()
    bare = folded.split(":")[0].rstrip(". ")
    if bare in _FORBIDDEN_FIRST or re.fullmatch(r"git~\d+", bare):
        raise UnsafePath(f"The path {shown} leads into {part}, which is not data.")
    if os.name == "nt" and (_RESERVED.match(part) or part[-1] in ". " or set(part) & set('?*<>|":')):
        raise UnsafePath(f"Windows cannot store a file named {shown}.")


def clashes(paths: list[str]) -> tuple[str, str] | None:
    """Return a pair that cannot both exist: a duplicate, or a file that another path uses as a folder."""
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            return path, path
        seen.add(path)
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent:
            if parent in seen:
                return parent, path
            parent = parent.rpartition("/")[0]
    return None


def visible(text: str) -> str:
    """`text` with control, direction and undecodable characters made visible, for messages and screens."""
    out = []
    for char in text:
        category = unicodedata.category(char)
        if char == "\n":
            out.append("⏎")
        elif category in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
            out.append(f"⟨U+{ord(char):04X}⟩")
        else:
            out.append(char)
    return "".join(out)


def read_small(path: Path, *, limit: int = TEXT_LIMIT) -> bytes:
    """The content of a small file that may be behind a link. Raises FileNotFoundError, and UnsafePath for a
    pipe, a device, a folder or more than `limit` bytes: such a thing would block or fill the reader."""
    return _read_small(os.fspath(path), None, 0, limit, os.fspath(path))


def _read_small(name: str, dir_fd: int | None, flags: int, limit: int, shown: str) -> bytes:
    flags |= os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        file = os.open(name, flags, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnsafePath(
                f"{visible(shown)} is a symbolic link.", hint="Replace it by the file itself."
            ) from error
        raise
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise UnsafePath(f"{visible(shown)} is not a regular file.", hint="Remove it, or move it away.")
    with open(file, "rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise UnsafePath(
            f"{visible(shown)} has more than {limit:,} bytes.", hint="It is no text of a project."
        )
    return data


class Tree:
    """A folder whose content is reached only through checked names. Safe from several threads.

    All methods take paths relative to the folder and raise UnsafePath for a name that `safe_relpath`
    refuses or whose parents include a symbolic link or something that is not a folder.
    `system` allows names inside `.dvc`: only for paths Modelkeep makes itself.
    """

    def __init__(self, root: Path, *, system: bool = False) -> None:
        self.root = Path(root)
        self._system = system

    def path(self, relpath: str) -> Path:
        """The absolute path of `relpath`, whose existing parents are real folders (never links)."""
        self._check(relpath)
        *folders, name = relpath.split("/")
        here = os.fspath(self.root)
        for folder in folders:
            here = f"{here}{os.sep}{folder}"
            try:
                mode = os.lstat(here).st_mode
            except (FileNotFoundError, NotADirectoryError):
                break
            self._check_parent(mode, relpath)
        return self.root.joinpath(*folders, name)

    def lstat(self, relpath: str) -> os.stat_result | None:
        """What is at `relpath` without following a link, or None."""
        try:
            return os.lstat(self.path(relpath))
        except (FileNotFoundError, NotADirectoryError):
            return None

    @contextmanager
    def parent(
        self, relpath: str, *, create: bool = False, synced: bool = True
    ) -> Iterator[tuple[int | None, str]]:
        """Open the folder that holds `relpath` and yield (dir_fd, name) for the os functions.

        With `create`, missing folders are made, and durable unless the caller syncs them (`synced` False).
        Each step is opened relative to the one before without following links, so a folder that is swapped
        for a link meanwhile is noticed. Where the system has no dir_fd, yields (None, absolute path).
        """
        self._check(relpath)
        if os.open not in os.supports_dir_fd:  # Windows
            target = self.path(relpath)
            if create:
                target.parent.mkdir(parents=True, exist_ok=True)
            yield None, str(target)
            return
        *folders, name = relpath.split("/")
        fd = os.open(self.root, os.O_RDONLY | _DIRECTORY)
        try:
            for folder in folders:
                fd = self._step(fd, folder, relpath, create, synced)
            yield fd, name
        finally:
            os.close(fd)

    def _step(self, fd: int, folder: str, relpath: str, create: bool, synced: bool) -> int:
        flags = os.O_RDONLY | _DIRECTORY | _NOFOLLOW
        try:
            try:
                deeper = os.open(folder, flags, dir_fd=fd)
            except FileNotFoundError:
                if not create:
                    raise
                try:
                    os.mkdir(folder, dir_fd=fd)
                    if synced:
                        os.fsync(fd)
                except FileExistsError:
                    pass
                deeper = os.open(folder, flags, dir_fd=fd)
        except (NotADirectoryError, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            self._check_parent(os.lstat(folder, dir_fd=fd).st_mode, relpath)
            raise
        os.close(fd)
        return deeper

    def read(self, relpath: str, *, limit: int = TEXT_LIMIT) -> bytes:
        """The content of the small file at `relpath`. Raises FileNotFoundError where nothing is.

        Raises UnsafePath for a symbolic link, and for what `read_small` refuses.
        """
        with self.parent(relpath) as (fd, name):
            return _read_small(name, fd, _NOFOLLOW, limit, relpath)

    def unlink(self, relpath: str) -> None:
        """Remove the file or link at `relpath`; nothing there is fine. Never follows a link."""
        try:
            with self.parent(relpath) as (fd, name):
                os.unlink(name, dir_fd=fd) if fd is not None else os.unlink(name)
        except FileNotFoundError:
            return

    def rmdir(self, relpath: str) -> bool:
        """Remove the folder at `relpath` if it is empty; says whether it did."""
        try:
            with self.parent(relpath) as (fd, name):
                os.rmdir(name, dir_fd=fd) if fd is not None else os.rmdir(name)
        except OSError:
            return False
        return True

    def _check(self, relpath: str) -> None:
        if not self._system:
            safe_relpath(relpath, inside_data=True)
        elif relpath.startswith("/") or any(part in ("", ".", "..") for part in relpath.split("/")):
            raise UnsafePath(f"The path {visible(relpath)} leaves its folder.")

    def _check_parent(self, mode: int, relpath: str) -> None:
        if stat.S_ISLNK(mode):
            raise UnsafePath(
                f"A parent folder of {visible(relpath)} is a symbolic link.",
                hint="Replace the link by a real folder; data is never read or written through links.",
            )
        if not stat.S_ISDIR(mode):
            raise UnsafePath(f"A parent of {visible(relpath)} is not a folder.")
