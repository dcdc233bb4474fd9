"""Which outputs of which versions a push or fetch is about, and on which remote each of them belongs.

An output may name a remote of its own, and a version its own `.dvc/config`: so what is to be moved comes in
parts, one for each address. Reads metafiles, Git and the cache; contacts nobody and moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from modelkeep.core.errors import InvalidFile, ModelkeepError, NoRemote, NotFound, Refused
from modelkeep.core.formats.config import Config
from modelkeep.core.nouns import dataclass, field
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import WORKSPACE, ObjectId, Output, Snapshot, Version, VersionKind


@dataclass(frozen=True, slots=True)
class Selection:
    """Outputs chosen by the user; `files` limits folder outputs to these files (relative to the output)."""

    outputs: tuple[Output, ...]
    files: Mapping[str, tuple[str, ...]]


def select(outputs: Iterable[Output], targets: Sequence[str]) -> Selection:
    """Which of `outputs` the `targets` mean: an output, its metafile, a folder above it, or a file inside a
    folder output. No targets means all. Raises NotFound naming what is not tracked."""
    known = [out for out in outputs if out.cached and out.oid is not None]
    if not targets:
        return Selection(tuple(known), {})
    chosen: dict[str, Output] = {}
    files: dict[str, tuple[str, ...]] = {}
    for target in (text.rstrip("/") for text in targets):
        hits = [
            out
            for out in known
            if target in (out.path, out.metafile, ".") or out.path.startswith(f"{target}/")
        ]
        if not hits:
            hits = [out for out in known if out.is_dir and target.startswith(f"{out.path}/")]
            for out in hits:
                files[out.path] = (*files.get(out.path, ()), target[len(out.path) + 1 :])
        if not hits:
            raise NotFound(
                f"{target} is not tracked.", hint="See what is: modelkeep show. Track it: modelkeep add PATH."
            )
        for out in hits:
            if out.path in chosen and out.path not in files:
                continue
            chosen[out.path] = out
    return Selection(tuple(chosen.values()), files)


def choose(found: Snapshot, targets: Sequence[str]) -> tuple[Selection, list[ModelkeepError]]:
    """`select` in the workspace, and the metafiles that could not be read: to be raised once the rest is done.

    If the targets mean one of these, it is raised at once: nobody knows what belongs to it.
    """
    unread: list[ModelkeepError] = [InvalidFile(one.file, one.reason) for one in found.problems]
    for one, error in zip(found.problems, unread, strict=True):
        for target in (text.rstrip("/") for text in targets):
            if target in (one.file, one.file.removesuffix(".dvc"), ".") or one.file.startswith(f"{target}/"):
                raise error
    return select(found.outputs, targets), [] if targets else unread


def is_pushed(out: Output) -> bool:
    """Whether the content of an output belongs on a remote of this project (dvc-format §1.3, §2.4)."""
    return out.cached and out.push and not out.imported and not out.cloud and out.oid is not None


def remote_of(out: Output, config: Config, remote: str | None) -> str | None:
    """The remote that an output belongs on; None where it belongs on another than the one that was named.

    Raises NoRemote if it has nowhere to go.
    """
    own = out.remote.lower() if out.remote else None
    if remote is not None and own not in (None, remote.lower()):
        return None
    name = own or remote or config.default_remote
    if name is None:
        raise NoRemote(
            "No remote is set up, so there is nowhere to send data to or fetch it from.",
            hint="Add one: modelkeep remote add -d NAME URL",
        )
    return name.lower()


def by_remote(
    project: Project, outputs: Iterable[Output], remote: str | None
) -> dict[str, tuple[Output, ...]]:
    """Group outputs by the remote they belong on. With `remote` named, outputs that name another are left
    out, as DVC does. Raises NoRemote if an output has nowhere to go."""
    groups: dict[str, list[Output]] = {}
    for out in outputs:
        name = remote_of(out, project.config, remote)
        if name is not None:
            groups.setdefault(name, []).append(out)
    return {name: tuple(outs) for name, outs in groups.items()}


def absent(
    project: Project, outputs: Iterable[Output], *, files: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[Output, ...]:
    """The outputs that lack at least one object in the cache (only `files` of a folder, if given)."""
    lacking = []
    for out in outputs:
        if out.oid is None or not out.cached:
            continue
        try:
            chosen = set((files or {}).get(out.path, ()))
            oids = [] if out.files else [out.oid]
            oids += [
                ObjectId(md5, legacy=out.oid.legacy)
                for path, md5 in _entries(project, out)
                if not chosen or _within(path, chosen)
            ]
        except (NotFound, Refused):
            lacking.append(out)
            continue
        if len(project.cache.present(set(oids))) < len(set(oids)):
            lacking.append(out)
    return tuple(lacking)


def _entries(project: Project, out: Output) -> Iterable[tuple[str, str]]:
    """(path, hash) of the files of a folder output; a cloud-versioned one lists them itself."""
    if out.files:
        return [(path, md5) for path, md5, _ in out.files]
    if out.oid is None or not out.oid.is_dir:
        return ()
    return project.cache.manifest(out.oid).entries


def _within(path: str, chosen: set[str]) -> bool:
    return path in chosen or any(path.startswith(f"{folder}/") for folder in chosen)


# -- versions ------------------------------------------------------------------------------------------


#: Which of the chosen outputs there is anything to do for.
Narrow = Callable[[Selection], Iterable[Output]]


@dataclass(slots=True)
class Part:
    """What belongs on one remote: `config` says where that is. Each output with the first version that has it."""

    remote: str
    config: Config
    found: list[tuple[Output, Version | None]] = field(default_factory=list)

    @property
    def outputs(self) -> list[Output]:
        """The outputs alone."""
        return [out for out, _ in self.found]


def parts_of(
    project: Project, outputs: Iterable[Output], remote: str | None, version: Version | None = None
) -> list[Part]:
    """Outputs of `version` (None: of any), on the remotes of today."""
    groups = by_remote(project, outputs, remote)
    return [Part(name, project.config, [(out, version) for out in outs]) for name, outs in groups.items()]


@dataclass(slots=True)
class Scope:
    """All parts, those of the workspace's own config first. `files` limits folders, as in a Selection.

    `problems` are to be raised once everything else is done; `notes` are to be told.
    """

    parts: list[Part] = field(default_factory=list)
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    problems: list[ModelkeepError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_scope(
    project: Project,
    targets: Sequence[str],
    versions: Sequence[Version],
    *,
    remote: str | None,
    each_config: bool,
    narrow: Narrow,
    progress: Progress = SILENT,
) -> Scope:
    """The outputs of the workspace, or of `versions`, that `narrow` leaves: each content once per path and address.

    With `each_config` the remotes of a version are those of its own `.dvc/config`, as in DVC; a version that
    cannot be read is then told and passed over, because nobody can mend it any more. Raises NotFound for a
    target that no version has, NoRemote if something that `narrow` leaves has nowhere to go.
    """
    search = _Search(project, targets, remote, each_config, narrow)
    wanted = [one for one in versions if one.kind is not VersionKind.WORKSPACE]
    if len(wanted) < len(versions) or not versions:
        search.add_workspace()
    if wanted:
        snapshots = project.catalogue.snapshots(wanted, progress)
        configs = search.configs(wanted)
        for version in wanted:
            progress.check()
            search.add(version, snapshots[version.key], configs[version.commit])
    return search.finish()


class _Search:
    def __init__(
        self,
        project: Project,
        targets: Sequence[str],
        remote: str | None,
        each_config: bool,
        narrow: Narrow,
    ) -> None:
        self._project = project
        self._targets = targets
        self._remote = remote
        self._each_config = each_config
        self._narrow = narrow
        self._parts: dict[object, Part] = {}
        self._seen: set[object] = set()
        self._untracked: NotFound | None = None
        self._tracked = False
        self._scope = Scope()

    def configs(self, versions: Sequence[Version]) -> dict[str, Config]:
        """The configuration that counts for each commit."""
        if not self._each_config:
            return {version.commit: self._project.config for version in versions}
        texts = self._project.catalogue.blobs(versions, ".dvc/config")
        parsed: dict[bytes | None, Config] = {}
        for text in texts.values():
            if text not in parsed:
                parsed[text] = self._parse(text)
        return {commit: parsed[text] for commit, text in texts.items()}

    def _parse(self, text: bytes | None) -> Config:
        try:
            return self._project.config if text is None else self._project.config_with(text)
        except InvalidFile as error:
            self._scope.notes.append(f"{error.title} The present config was used instead.")
            return self._project.config

    def add_workspace(self) -> None:
        """What the metafiles on disk say."""
        chosen, unread = choose(self._project.workspace.outputs(), self._targets)
        self._tracked = True
        self._scope.problems += unread
        self._take(chosen, WORKSPACE, self._project.config)

    def add(self, version: Version, snapshot: Snapshot, config: Config) -> None:
        """What a version of the history says."""
        for one in snapshot.problems:
            reason = f"{version.name}: {one.file}: {one.reason}"
            if self._each_config:
                self._scope.notes.append(reason)
            else:
                self._scope.problems.append(InvalidFile(one.file, one.reason, entry=version.name))
        try:
            chosen = select(snapshot.outputs, self._targets)
        except NotFound as error:
            self._untracked = error
            return
        self._tracked = True
        self._take(chosen, version, config)

    def _take(self, chosen: Selection, version: Version, config: Config) -> None:
        for path, files in chosen.files.items():
            known = self._scope.files.get(path, ())
            self._scope.files[path] = tuple(dict.fromkeys((*known, *files)))
        fresh = []
        for out in chosen.outputs:
            key = (id(config), out.path, out.oid)
            if key not in self._seen:
                self._seen.add(key)
                fresh.append(out)
        for out in self._narrow(Selection(tuple(fresh), chosen.files)):
            part = self._part(out, config)
            if part is not None and all((out.path, out.oid) != (one.path, one.oid) for one, _ in part.found):
                part.found.append((out, version))

    def _part(self, out: Output, config: Config) -> Part | None:
        """The part for the address that an output belongs to. A version without that remote uses today's."""
        for one in dict.fromkeys((config, self._project.config)):
            try:
                name = remote_of(out, one, self._remote)
                if name is None:
                    return None
                key = name, self._project.remote_key(name, one)
            except ModelkeepError:  # no such remote by then, or an address that nobody can use
                if one is self._project.config:
                    raise
                continue
            return self._parts.setdefault(key, Part(name, one))
        raise AssertionError("the project's own config was not asked")

    def finish(self) -> Scope:
        """Everything found."""
        if not self._tracked and self._untracked is not None:
            raise self._untracked
        self._scope.parts = [part for part in self._parts.values() if part.found]
        return self._scope
