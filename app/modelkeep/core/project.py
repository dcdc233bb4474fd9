"""The one door to a project: opens a folder and wires its parts together. Behaviour lives elsewhere.

A Project may be used from several threads: parts that change the workspace take the project's lock, and
every thread that talks to a remote gets a connection of its own from `using_remote`.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from modelkeep.core.credentials import NO_QUESTIONS, Credentials, Questions, Vault, open_vault
from modelkeep.core.engine.addresses import AddressBook, AddressChange, Place, address_of, password_in_config
from modelkeep.core.engine.cache import Cache, open_cache
from modelkeep.core.engine.catalogue import Catalogue
from modelkeep.core.engine.configuration import level_folders, load_config
from modelkeep.core.engine.history import History
from modelkeep.core.engine.objectstore import ObjectStore
from modelkeep.core.engine.workspace import Workspace
from modelkeep.core.errors import ModelkeepError, NoRemote, NotAProject, Refused, UnsafePath, Unsupported
from modelkeep.core.formats.config import Config, RemoteConfig
from modelkeep.core.formats.remoteurl import check_place
from modelkeep.core.paths import Tree, visible
from modelkeep.core.settings import Settings
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.stores.registry import login_address, open_store
from modelkeep.core.values import Problem, Remote, Secret

#: Folders of a project in which Modelkeep keeps its own files.
_OWN_FOLDERS = (
    ".dvc",
    ".dvc/tmp",
    ".dvc/tmp/modelkeep",
    ".dvc/tmp/modelkeep/quarantine",
    ".dvc/tmp/modelkeep/replaced",
    ".dvc/tmp/modelkeep/stage",
)


class Project:
    """An opened project. Use `Project.open`; call `close` when done."""

    def __init__(
        self,
        root: Path,
        history: History | None,
        *,
        vault: Vault,
        questions: Questions,
        settings: Settings,
    ) -> None:
        self.root = root
        self.history = history
        self.vault = vault
        self.settings = settings
        self.tree = Tree(root)
        self.credentials = Credentials(vault, questions, self._password_in_config)
        self._addresses = AddressBook(root, questions.address_changed)
        #: What each remote was last seen to have: (when it was asked, size by key). See workflows.review.
        self.listings: dict[str, tuple[datetime, dict[str, int]]] = {}
        self._idle: dict[str, list[ObjectStore]] = {}
        self._lock = threading.Lock()
        if history is not None:
            history.ask = self.credentials.git_prompt
            history.trusted = self.is_trusted
            self.catalogue = Catalogue(history)  # kept for good: it remembers what it parsed by blob id
        self._wire()

    @classmethod
    def open(
        cls,
        folder: Path | str,
        *,
        vault: Vault | None = None,
        questions: Questions = NO_QUESTIONS,
        settings: Settings | None = None,
    ) -> Project:
        """Open the project that `folder` lies in. Raises NotAProject, InvalidFile; connects to nothing."""
        root = find_root(Path(folder))
        settings = settings or Settings.load()
        no_scm = load_config(root).flag("core", "no_scm")
        history = None if no_scm else History.open(root)
        return cls(root, history, vault=vault or open_vault(), questions=questions, settings=settings)

    def reload(self) -> None:
        """Read the config again and rewire what depends on it: after a switch of branch or an edit."""
        known = self.workspace.last_outputs
        self._wire()
        self._addresses.settle()
        self.workspace.last_outputs = known  # a reload alone must not look like a change from outside
        self.close()

    def _wire(self) -> None:
        self._check_own_folders()
        self._local_is_private = not self._carries(".dvc/config.local")
        self.config = load_config(self.root, local_is_private=self._local_is_private)
        self.cache: Cache = open_cache(
            self.cache_folder,
            self.root / ".dvc" / "tmp" / "modelkeep" / "quarantine",
            shared=self.config.get("cache", "shared") == "group",
        )
        self.workspace = Workspace(
            self.root,
            git_root=self.history.git_root if self.history is not None else None,
            cache=self.cache,
            config=self.config,
            history=self.history,
        )

    def _check_own_folders(self) -> None:
        """Raise UnsafePath if a repository could make Modelkeep keep its own files, or objects, elsewhere."""
        for relpath in _OWN_FOLDERS:
            if (self.root / relpath).is_symlink():
                raise UnsafePath(
                    f"{relpath} is a symbolic link, and Modelkeep's own files are never kept behind one.",
                    hint="Replace it by a real folder.",
                )
        if (self.root / ".dvc/cache").is_symlink() and self._carries(".dvc/cache"):
            raise UnsafePath(
                "The repository carries .dvc/cache as a symbolic link to another folder.",
                hint="Remove it from Git. To keep the cache elsewhere: dvc cache dir --local FOLDER",
            )

    def _carries(self, relpath: str) -> bool:
        """Whether what lies at `relpath` came with the repository: then it is not the user's own word."""
        if not os.path.lexists(self.root / relpath):
            return False
        if self.history is not None:
            return self.history.is_tracked(relpath)
        # The repository itself may say that the project is not kept in Git (core.no_scm).
        if not any((one / ".git").exists() for one in (self.root, *self.root.parents)):
            return False
        try:
            return History.open(self.root).is_tracked(relpath)
        except ModelkeepError:
            return True

    def close(self) -> None:
        """End all connections."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for stores in idle.values():
            for store in stores:
                store.store.close()

    # -- facts -----------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name people know the project by: its folder's."""
        return self.root.name

    @property
    def cache_folder(self) -> Path:
        """Where the objects are kept. Only the user's own config may move it out of the project."""
        chosen = self.config.get("cache", "dir")
        if not chosen:
            return self.root / ".dvc" / "cache"
        level = self.config.level_of("cache", "dir") or "repo"
        return Path(os.path.normpath(level_folders(self.root)[level] / Path(chosen).expanduser()))

    def notices(self) -> tuple[Problem, ...]:
        """What the repository asks for in vain, where data may therefore seem to be missing."""
        folder = self.config.wish("cache", "dir")
        if folder is None:
            return ()
        reason = (
            f"asks for the cache folder {visible(folder)}, but only you may choose one outside of the project. "
            f"If it is yours: dvc config --local cache.dir {visible(folder)}"
        )
        return (Problem(".dvc/config", reason),)

    def git(self) -> History:
        """The Git history; raises Unsupported in a project without Git."""
        if self.history is None:
            raise Unsupported(
                "This project is not kept in Git, so it has no versions.",
                hint="Data can be added, pushed and pulled; versions need a Git repository.",
            )
        return self.history

    @property
    def is_trusted(self) -> bool:
        """Whether the user allowed the programs that this repository's own settings start."""
        return self.settings.is_trusted(self.root)

    def require_trust(self, what: str) -> None:
        """Raise Refused if `what` could start programs the repository chose and the user has not allowed."""
        if self.history is not None and self.history.read_only:
            lines = self.history.executables()
            raise Refused(
                f"This repository's own settings start programs, so {what} waits for your word.",
                detail="\n".join(lines),
                hint="If you trust where it comes from: modelkeep open --trust",
            )

    def stamp(self) -> str:
        """A cheap fingerprint that changes when something outside changed refs, index, metafiles or config.

        Looks only at names and times; for a watcher that asks every second from its own thread.
        """
        digest = hashlib.blake2b(digest_size=16)
        for path in self._watched():
            try:
                stat = os.lstat(path)
            except OSError:
                continue
            digest.update(
                f"{path}\0{stat.st_mtime_ns}\0{stat.st_size}\0{stat.st_ino}\n".encode(
                    "utf-8", "surrogateescape"
                )
            )
        return digest.hexdigest()

    def _watched(self) -> Iterator[str]:
        yield from (str(self.root / ".dvc" / name) for name in ("config", "config.local"))
        yield str(self.root)
        for output in self.workspace.last_outputs:
            yield str(self.root / output.metafile)
            yield str(self.root / output.path)
        if self.history is not None:
            yield from _git_state(self.history.git_dir, self.history.common_dir)

    # -- remotes ---------------------------------------------------------------------------------------

    def remotes(self) -> tuple[Remote, ...]:
        """The remotes of the merged config, the default first. Contacts none of them."""
        default = self.config.default_remote
        found = [
            Remote(
                name=one.name,
                url=one.url,
                kind=one.kind,
                is_default=one.name == default,
                level=one.level,
                has_secret_in_config=bool(one.secrets),
                problem=one.problem,
            )
            for one in self.config.remotes()
        ]
        return tuple(sorted(found, key=lambda remote: (not remote.is_default, remote.name)))

    def config_with(self, repo_text: bytes) -> Config:
        """The configuration with `.dvc/config` as it was at another version. Raises InvalidFile."""
        return load_config(self.root, local_is_private=self._local_is_private, repo_text=repo_text)

    def remote_config(self, name: str | None, config: Config | None = None) -> RemoteConfig:
        """The settings of the remote `name`, or of the default one. Raises NoRemote naming what exists.

        `config` is that of another version; the project's own by default.
        """
        config = config or self.config
        name = name or config.default_remote
        known = {one.name: one for one in config.remotes()}
        if name is None:
            raise NoRemote("No default remote is set.", hint="Add one: modelkeep remote add -d NAME URL")
        if name.lower() not in known:
            names = ", ".join(known) or "none"
            raise NoRemote(f"There is no remote called {name}.", hint=f"Remotes of this project: {names}.")
        return known[name.lower()]

    def remote_spec(self, name: str | None, config: Config | None = None) -> RemoteSpec:
        """Where the remote `name` lies, in the terms of the stores. Raises the config's own problem.

        A relative folder is meant from the project's own `.dvc`, whichever version named it.
        """
        remote = self.remote_config(name, config)
        if remote.problem:
            raise ModelkeepError(f"The remote {remote.name} cannot be used: {remote.problem}")
        if remote.kind == "local":
            folder = remote.local_path(level_folders(self.root)[remote.level])
            check_place(Path(os.path.realpath(folder)))  # nor may a link lead to where no data belongs
            return RemoteSpec("local", path=str(folder), options=dict(remote.options))
        return RemoteSpec.parse(remote.url, dict(remote.options))

    def remote_key(self, name: str | None, config: Config | None = None) -> str:
        """What tells one remote from another: its name and its address."""
        return f"{self.remote_config(name, config).name}\0{address_of(self.remote_spec(name, config))}"

    def address(self, name: str | None) -> str | None:
        """The user@host:port a login for the remote is bound to; None where no login exists."""
        return login_address(self.remote_spec(name))

    def changed_address(self, name: str | None) -> AddressChange | None:
        """What `check_address` would ask, or None. Asks nobody."""
        return self._addresses.changed(self._place(name, None))

    def check_address(self, name: str | None = None, config: Config | None = None) -> None:
        """Raise AddressChanged if a remote leads elsewhere than last time and the user, when asked, says no."""
        place = self._place(name, config)
        self._addresses.check(place, lambda: self._earlier_address(place))

    def accept_address(self, name: str | None, address: str = "") -> Place:
        """The user's own word that a remote's address, or `address` of another version, is right."""
        place = self._place(name, None)
        if address:
            place = place._replace(address=address, is_default=place.is_default and address == place.current)
        self._addresses.accept(place)
        return place

    def _place(self, name: str | None, config: Config | None) -> Place:
        remote = self.remote_config(name, config).name
        address = current = address_of(self.remote_spec(name, config))
        is_default = remote == (config or self.config).default_remote
        if config is not None and config is not self.config:
            current = ""  # where today's config does not know that remote, nothing of today is compared with
            with suppress(ModelkeepError):
                current = address_of(self.remote_spec(remote))
        return Place(remote, address, current, is_default)

    def _earlier_address(self, place: Place) -> str | None:
        """Where a remote led in an earlier version, if a password of the user waits for it: it may be for there."""
        held = self.config.held(place.remote, "password")
        if held is None or held.level == "repo" or self.history is None:
            return None
        for old in self.history.old_configs():
            with suppress(ModelkeepError):
                found = address_of(self.remote_spec(place.remote, self.config_with(old.data)))
                if old.path == ".dvc/config" and found != place.address:
                    return found
        return None

    @contextmanager
    def using_remote(self, name: str | None = None, config: Config | None = None) -> Iterator[ObjectStore]:
        """A remote for the use of one thread; connects at its first call, after `check_address`. Idle
        connections are kept."""
        spec = self.remote_spec(name, config)
        remote = self.remote_config(name, config)
        if remote.flag("version_aware") or remote.flag("worktree"):
            raise Unsupported(
                f"The remote {remote.name} keeps files under the versions of a cloud bucket (version_aware or "
                "worktree), which Modelkeep neither reads nor writes.",
                hint="Use dvc push and dvc pull for it.",
            )
        self.check_address(name, config)
        key = self.remote_key(name, config)
        with self._lock:
            idle = self._idle.setdefault(key, [])
            store = idle.pop() if idle else None
        if store is None:
            store = ObjectStore(open_store(spec, self.credentials), remote.name)
        try:
            yield store
        except BaseException:
            store.store.close()
            raise
        with self._lock:
            self._idle.setdefault(key, []).append(store)

    def forget_listing(self, name: str) -> None:
        """What was known of a remote is out of date."""
        self.listings.pop(name, None)

    # -- secrets ---------------------------------------------------------------------------------------

    def config_secrets(self, level: str | None = None) -> tuple[tuple[str, str, str], ...]:
        """(level, section, key) of every secret that stands in a DVC config file, never its value."""
        return tuple(found for found in self.config.secrets() if level is None or found[0] == level)

    def _password_in_config(self, address: str) -> Secret | None:
        return password_in_config(self.root, self.config, self._login_of, address)

    def _login_of(self, name: str) -> str | None:
        try:
            return self.address(name)
        except ModelkeepError:
            return None


def _git_state(git_dir: Path, common_dir: Path) -> Iterator[str]:
    """The files whose names and times tell that a ref, HEAD or the index moved."""
    yield from (str(git_dir / name) for name in ("HEAD", "index", "logs/HEAD"))
    yield str(common_dir / "packed-refs")
    for folder, _, names in os.walk(common_dir / "refs"):
        yield folder
        yield from (os.path.join(folder, name) for name in names)


def find_root(folder: Path) -> Path:
    """The nearest folder at or above `folder` that holds a `.dvc` folder. Raises NotAProject."""
    folder = Path(os.path.abspath(folder))
    if not folder.is_dir():
        raise NotAProject(f"There is no folder {folder}.")
    for candidate in (folder, *folder.parents):
        if (candidate / ".dvc").is_dir():
            return candidate
    is_git = any((parent / ".git").exists() for parent in (folder, *folder.parents))
    raise NotAProject(
        f"{folder} is not in a project that tracks data.",
        hint="Start tracking data in this Git repository: modelkeep init"
        if is_git
        else "Open a folder with a Git + DVC project, or start one: modelkeep init",
        paths=(str(folder),),
    )
