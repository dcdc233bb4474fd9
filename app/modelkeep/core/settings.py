"""What the user chose, apart from what the program remembers. Knows nothing of projects' own settings.

`Settings` are choices (theme, trusted folders) in the configuration folder; `Remembered` is what makes the next
start pleasant (recent projects, window places) in the state folder. Losing the second costs nothing. Both are
JSON with a version number, written whole and durably; a damaged file is kept aside as `.bad` and not used.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from modelkeep.core.durable import write_file
from modelkeep.core.leftovers import flocked
from modelkeep.core.paths import Tree

VERSION = 1
THEMES = ("system", "light", "dark")
_RECENT = 12
_EXPORTS = 1000
_PROJECTS = 1000  # whose addresses are known
_ADDRESSES = 20  # of one remote
_TRIES = 40  # twentieths of a second


def config_folder() -> Path:
    """Where choices are kept: $MODELKEEP_HOME, else where this system keeps a user's configuration."""
    return _folder("user_config_path")


def state_folder() -> Path:
    """Where memories and logs are kept: $MODELKEEP_HOME, else where this system keeps a user's state."""
    return _folder("user_state_path")


def _folder(kind: str) -> Path:
    override = os.environ.get("MODELKEEP_HOME")
    if override:
        return Path(override)
    import platformdirs

    path: Path = getattr(platformdirs, kind)("modelkeep", appauthor=False)
    return path


class _Document:
    """A JSON object in a file. Entries this version does not know are kept as they are, and so is their order."""

    name = ""

    def __init__(self, folder: Path, entries: dict[str, Any] | None = None) -> None:
        self._folder = folder
        self._entries = entries or {}

    @classmethod
    def _load(cls, folder: Path) -> Self:
        path = folder / cls.name
        try:
            entries = json.loads(path.read_bytes())
        except FileNotFoundError:
            return cls(folder)
        except (OSError, ValueError):
            entries = None
        if not isinstance(entries, dict):
            _set_aside(path)
            return cls(folder)
        return cls(folder, entries)

    def save(self) -> None:
        """Write it durably. Raises StoreFailed; the file is then as it was."""
        self._folder.mkdir(parents=True, exist_ok=True)
        entries = {**self._entries, "version": VERSION}
        data = json.dumps(entries, indent=2, ensure_ascii=False) + "\n"
        write_file(Tree(self._folder, system=True), self.name, data.encode(), mode=0o600)

    def get(self, key: str, default: Any = None) -> Any:
        """Anything else that was put, by name, such as a width or the last choice in a dialog."""
        return self._entries.get(key, default)

    def put(self, key: str, value: Any) -> None:
        """Set a JSON value; `save` keeps it. Never a secret."""
        self._entries[key] = value

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self._entries.get(key)
        return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _set_aside(path: Path) -> None:
    try:
        os.replace(path, path.with_name(f"{path.name}.bad"))
    except OSError:
        return  # it cannot be moved, so it cannot be replaced either: saving will say so


class Settings(_Document):
    """The user's choices. Assigning changes them here; `save` keeps them."""

    name = "settings.json"

    @classmethod
    def load(cls, folder: Path | None = None) -> Settings:
        """The choices kept in `folder`; a missing or damaged file gives the defaults."""
        return cls._load(folder or config_folder())

    @property
    def theme(self) -> str:
        """One of THEMES; "system" follows the desktop."""
        value = self._entries.get("theme")
        return value if value in THEMES else "system"

    @theme.setter
    def theme(self, value: str) -> None:
        if value not in THEMES:
            raise ValueError(f"there is no theme {value!r}")
        self._entries["theme"] = value

    @property
    def trusted(self) -> tuple[str, ...]:
        """Folders of projects whose own programs (hooks, filters) may be started."""
        return self._texts("trusted")

    def is_trusted(self, root: Path) -> bool:
        """Whether the user allowed the programs that the project at `root` starts."""
        return os.path.realpath(root) in self.trusted

    def set_trusted(self, root: Path, trusted: bool) -> None:
        """Allow or no longer allow them, and keep that at once."""
        folder = os.path.realpath(root)
        others = [one for one in self.trusted if one != folder]
        self._entries["trusted"] = [*others, folder] if trusted else others
        self.save()


class Remembered(_Document):
    """What the program remembers between two runs. Never a secret."""

    name = "remembered.json"

    @classmethod
    def load(cls, folder: Path | None = None) -> Remembered:
        """What was remembered in `folder`; a missing or damaged file gives nothing."""
        return cls._load(folder or state_folder())

    @property
    def recent(self) -> tuple[Path, ...]:
        """Projects opened lately, the last one first; some may not exist any more."""
        return tuple(Path(one) for one in self._texts("recent"))

    def add_recent(self, root: Path) -> None:
        """The project at `root` was opened; keeps that at once."""
        self._entries["recent"] = [str(root), *(str(one) for one in self.recent if one != root)][:_RECENT]
        self.save()

    def forget_recent(self, root: Path) -> None:
        """Take a project out of the list; keeps that at once."""
        self._entries["recent"] = [str(one) for one in self.recent if one != root]
        self.save()


class KnownLogins(_Document):
    """Which server a password in a project's config file was first used for. Holds no password.

    A file of its own, so that a window that saves its memories late does not overwrite it.
    """

    name = "logins.json"

    @classmethod
    def load(cls, folder: Path | None = None) -> KnownLogins:
        """What was kept, or nothing yet."""
        return cls._load(folder or state_folder())

    def of(self, root: Path, remote: str) -> str | None:
        """The server a password of the remote was first used for, or None before that."""
        known = self.get(f"{root}:{remote}")
        return known if isinstance(known, str) else None

    def is_same(self, root: Path, remote: str, address: str) -> bool:
        """Whether `address` is what the remote meant at its first use; keeps it at the first use."""
        place = f"{root}:{remote}"
        known = self.of(root, remote)
        if known is None:
            self.put(place, address)
            self.save()
        return known in (None, address)


class KnownAddresses(_Document):
    """Which address each remote of each project had when it was last used, and those the user accepted before.

    A repository names its remotes and chooses their addresses; this is what the user knows of them.
    """

    name = "addresses.json"

    @classmethod
    def load(cls, folder: Path | None = None) -> KnownAddresses:
        """What was kept, or nothing yet."""
        return cls._load(folder or state_folder())

    def of(self, root: Path, remote: str) -> tuple[str, ...]:
        """The addresses of a remote, the last used one first; none before its first use."""
        remotes = self.get(os.path.realpath(root))
        known = remotes.get(remote) if isinstance(remotes, dict) else None
        return tuple(one for one in known if isinstance(one, str)) if isinstance(known, list) else ()

    def is_fading(self, root: Path) -> bool:
        """Whether so many projects came after this one that it has to be accepted again to be kept."""
        places = list(self._entries)
        place = os.path.realpath(root)
        return place in places and len(places) - places.index(place) > _PROJECTS // 2

    @classmethod
    def accept(cls, root: Path, remote: str, address: str, *, used: bool = True) -> None:
        """The user takes `address` for the remote; `used` makes it the last used one. Keeps that at once."""
        state_folder().mkdir(parents=True, exist_ok=True)
        with _alone(state_folder()):
            book = cls.load()
            known = book.of(root, remote)
            others = [one for one in known if one != address]
            merged = [address, *others] if used or not known else [known[0], address, *others[1:]]
            place = os.path.realpath(root)
            remotes = book.get(place)
            book._entries.pop(place, None)
            book.put(place, {**(remotes if isinstance(remotes, dict) else {}), remote: merged[:_ADDRESSES]})
            kept = [key for key in book._entries if key != "version"][-_PROJECTS:]
            book._entries = {key: book._entries[key] for key in kept}
            book.save()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait a moment for another program of ours that changes the same file, or its change would be lost."""
    for _ in range(_TRIES):
        with flocked(str(folder), alone=True) as held:
            if held or os.name == "nt":
                yield
                return
        time.sleep(0.05)
    yield


class KnownExports(_Document):
    """Which folders outside their project forced exports wrote to: only there may a record lead back.

    Records lie in the project, where anybody who hands it over can put one.
    """

    name = "exports.json"

    @classmethod
    def load(cls, folder: Path | None = None) -> KnownExports:
        """What was kept, or nothing yet."""
        return cls._load(folder or state_folder())

    def add(self, record: str, folder: str) -> None:
        """The replacement `record` was made in `folder`; keeps that at once."""
        known = {key: value for key, value in self._entries.items() if key != "version"}
        self._entries = dict([*known.items(), (record, folder)][-_EXPORTS:])
        self.save()

    def has(self, record: str, folder: str) -> bool:
        """Whether that replacement was made by this user, there."""
        return bool(self.get(record) == folder)
