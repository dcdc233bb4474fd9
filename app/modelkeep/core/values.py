"""The nouns of Modelkeep: frozen values that the engine returns and both faces show.

They hold facts and answer questions about themselves; they never open a file, run git or reach a network.
Sizes are bytes; `None` means not known, which is different from 0. Paths are POSIX and relative to the
project's root, except where a name says otherwise. Terms follow DVC: *output* is a tracked path, *manifest*
the `.dir` object that lists a folder, *object* a content-addressed file.
"""

from __future__ import annotations

import enum
import re
from datetime import datetime
from typing import Any, NamedTuple, Self

from modelkeep.core.errors import UnsafePath
from modelkeep.core.nouns import dataclass, field

_HASH = re.compile(r"[0-9a-f]{32}")


class Secret:
    """A password or passphrase. Prints as dots; only `reveal` gives the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, to hand to the one call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(••••••)"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        raise TypeError("a Secret is never serialised")


class _Name(NamedTuple):
    hash: str
    is_dir: bool = False
    legacy: bool = False


class ObjectId(_Name):
    """The name of an object: the MD5 of its bytes as 32 lower-case hex digits.

    `is_dir` marks a manifest (`.dir`). `legacy` marks an object written by DVC 2 (no `hash:` key): its MD5
    ignores CR before LF in text, and it lives in the older place. A tuple, because a folder has hundred
    thousands of them, and tuples are compared and looked up without a call of Python.
    """

    __slots__ = ()

    def __new__(cls, hash: str, is_dir: bool = False, legacy: bool = False) -> Self:
        """Raises UnsafePath for what is no hash."""
        if not _HASH.fullmatch(hash):
            raise UnsafePath(f"{hash[:80]!r} is not an MD5 hash (32 digits 0-9 and a-f).")
        return super().__new__(cls, hash, is_dir, legacy)

    @property
    def name(self) -> str:
        """The hash, with `.dir` for a manifest: the form used in metafiles."""
        return f"{self.hash}.dir" if self.is_dir else self.hash

    @property
    def key(self) -> str:
        """Where the object lies in a cache or remote, relative to its root."""
        prefix = "" if self.legacy else "files/md5/"
        return f"{prefix}{self.hash[:2]}/{self.hash[2:]}{'.dir' if self.is_dir else ''}"

    @classmethod
    def parse(cls, name: str, *, legacy: bool = False) -> ObjectId:
        """From the form used in metafiles; raises UnsafePath for anything else."""
        bare = name.removesuffix(".dir")
        return cls(bare, is_dir=bare != name, legacy=legacy)


class Entry(NamedTuple):
    """One file of a folder output: its path relative to the folder and the MD5 of its content."""

    path: str
    hash: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of a folder output, sorted by path. The format records no sizes."""

    oid: ObjectId
    entries: tuple[Entry, ...]

    def objects(self) -> list[ObjectId]:
        """The objects of its files, each once."""
        legacy = self.oid.legacy
        return [ObjectId(h, legacy=legacy) for h in dict.fromkeys(e.hash for e in self.entries)]


class Kind(enum.Enum):
    """What an output is, for icons and wording."""

    DATASET = "dataset"
    MODEL = "model"
    METRICS = "metrics"
    OTHER = "file"


@dataclass(frozen=True, slots=True)
class Output:
    """One path tracked at one version, as its metafile records it.

    `oid` is None while nothing was recorded (a stage never run, an import without download). `metafile` is
    the `.dvc` or `dvc.yaml` that tracks it. `imported` outputs come from another repository and are never
    pushed. `cloud` marks cloud-versioned outputs, which are read only.
    """

    path: str
    oid: ObjectId | None
    metafile: str
    kind: Kind = Kind.OTHER
    size: int | None = None
    nfiles: int | None = None
    is_exec: bool = False
    cached: bool = True
    push: bool = True
    remote: str | None = None
    stage: str | None = None
    desc: str = ""
    type: str = ""
    labels: tuple[str, ...] = ()
    meta: Any = None
    imported: bool = False
    cloud: bool = False
    files: tuple[tuple[str, str, int | None], ...] = ()

    @property
    def is_dir(self) -> bool:
        """Whether it is a folder, as far as is recorded."""
        return (self.oid is not None and self.oid.is_dir) or bool(self.files)

    @property
    def file_count(self) -> int | None:
        """Files it consists of; 1 for a file, None for a folder that does not say."""
        return self.nfiles if self.is_dir else 1


class VersionKind(enum.Enum):
    """Where a version's name comes from."""

    WORKSPACE = "workspace"
    TAG = "tag"
    BRANCH = "branch"
    REMOTE_BRANCH = "remote branch"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class GtoName:
    """A tag name in GTO form: `artifact@v1.2.3`, `artifact#stage#2`, … (dvc-format §9)."""

    artifact: str
    event: str  # "register" | "deregister" | "assign" | "unassign" | "deprecate" | "create"
    version: str = ""
    stage: str = ""
    counter: int | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A point in the project's history a person can name, or the workspace (commit == "").

    `name` is the short name for people, `ref` the full ref name for git ("" for a commit or the workspace).
    `when` carries its offset. `message` of a tag is the tag's own, else the commit's.
    """

    kind: VersionKind
    name: str
    ref: str = ""
    commit: str = ""
    when: datetime | None = None
    author: str = ""
    email: str = ""
    message: str = ""
    annotated: bool = False
    gto: GtoName | None = None
    is_head: bool = False

    @property
    def key(self) -> str:
        """Identifies the version within a project, also across refreshes."""
        return self.ref or self.commit or "workspace"

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]


WORKSPACE = Version(VersionKind.WORKSPACE, "Workspace")


@dataclass(frozen=True, slots=True)
class VersionList:
    """Everything the Versions panel lists, each group in the order it is shown (newest first)."""

    tags: tuple[Version, ...] = ()
    branches: tuple[Version, ...] = ()
    remote_branches: tuple[Version, ...] = ()
    commits: tuple[Version, ...] = ()

    def all(self) -> tuple[Version, ...]:
        """All of them in one tuple, the workspace not included."""
        return self.tags + self.branches + self.remote_branches + self.commits


@dataclass(frozen=True, slots=True)
class Problem:
    """Something at a version that could not be read: where, and why, in one sentence."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is tracked at a version, sorted by path. `problems` makes it incomplete, never silently."""

    version: Version
    outputs: tuple[Output, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all outputs whose size is recorded."""
        return sum(out.size or 0 for out in self.outputs)

    def find(self, path: str) -> Output | None:
        """The output with exactly this path."""
        return next((out for out in self.outputs if out.path == path), None)


class Where(enum.Enum):
    """Where the content of an output or version is. The word shown is the value."""

    BOTH = "here, on remote"
    HERE = "only here"
    REMOTE = "on remote"
    NOWHERE = "missing"
    UNKNOWN = "not checked"
    NONE = "nothing to store"


@dataclass(frozen=True, slots=True)
class Presence:
    """How many objects and bytes are where. `asked` is when the remote was asked, None if it was not.

    Counts are objects including manifests. `only_here_bytes` counts what is in the cache and was not found on
    the remote; it is 0 while the remote was not asked.
    """

    objects: int = 0
    here: int = 0
    on_remote: int = 0
    only_here: int = 0
    only_here_bytes: int = 0
    nowhere: int = 0
    asked: datetime | None = None

    @property
    def where(self) -> Where:
        """The one word for the badge. Partly here and fully on the remote counts as `on remote`."""
        if not self.objects:
            return Where.NONE
        if self.asked is None:
            return (
                Where.UNKNOWN
                if self.here == self.objects
                else Where.NOWHERE
                if not self.here
                else Where.UNKNOWN
            )
        if self.nowhere:
            return Where.NOWHERE
        if self.only_here:
            return Where.HERE
        return Where.BOTH if self.here == self.objects else Where.REMOTE

    def __add__(self, other: Presence) -> Presence:
        asked = None if self.asked is None or other.asked is None else min(self.asked, other.asked)
        return Presence(
            self.objects + other.objects,
            self.here + other.here,
            self.on_remote + other.on_remote,
            self.only_here + other.only_here,
            self.only_here_bytes + other.only_here_bytes,
            self.nowhere + other.nowhere,
            asked,
        )


class State(enum.Enum):
    """How one tracked path in the workspace stands against its metafile."""

    CLEAN = "unchanged"
    MODIFIED = "changed"
    DELETED = "deleted"
    NOT_IN_CACHE = "not here"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class OutputStatus:
    """One output: workspace against metafile (`state`), metafile against HEAD (`committed`).

    `added`, `changed`, `removed` list files of a folder output relative to it. `missing` is the number of its
    objects that are not in the cache.
    """

    output: Output
    state: State = State.CLEAN
    committed: State = State.CLEAN
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """The workspace: outputs, what Git sees, and what could not be read.

    Of the `git_changes`, `git_added` are new for Git and `git_removed` are gone; the others differ.
    """

    outputs: tuple[OutputStatus, ...] = ()
    branch: str | None = None
    commit: str = ""
    upstream: str | None = None
    ahead: int = 0
    behind: int = 0
    git_changes: tuple[str, ...] = ()
    git_added: frozenset[str] = frozenset()
    git_removed: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing differs from HEAD."""
        return not self.git_changes and all(
            out.state is State.CLEAN and out.committed is State.CLEAN for out in self.outputs
        )


@dataclass(frozen=True, slots=True)
class Remote:
    """A named store of the DVC config. `url` never contains a password; `level` is where it is defined."""

    name: str
    url: str
    kind: str = "local"  # "local" | "ssh" | another scheme of the DVC config
    is_default: bool = False
    level: str = "repo"
    has_secret_in_config: bool = False
    problem: str = ""


class Change(enum.Flag):
    """What an operation may have changed; panels refresh only for what they show."""

    NONE = 0
    WORKSPACE = enum.auto()
    METAFILES = enum.auto()
    CACHE = enum.auto()
    REMOTE = enum.auto()
    REFS = enum.auto()
    CONFIG = enum.auto()
    EVERYTHING = WORKSPACE | METAFILES | CACHE | REMOTE | REFS | CONFIG


@dataclass(frozen=True, slots=True)
class Changes:
    """What an operation did: for the panels (`what`), and in words for people (`summary`, `notes`).

    `files` and `bytes` count what was moved over a boundary; `paths` are project paths that changed.
    `same_as` is the equivalent on the command line, for the job's log.
    """

    what: Change = Change.NONE
    summary: str = ""
    paths: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0
    notes: tuple[str, ...] = ()
    same_as: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
