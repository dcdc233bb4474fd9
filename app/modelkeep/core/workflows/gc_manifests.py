"""Which files belong to the folders that a clean-up keeps: lists read from the cache, else from their remotes.

A list that is nowhere to be read stops the clean-up, because its files could not be told from garbage. Nothing
that was read on a remote is stored.
"""

from __future__ import annotations

from modelkeep.core.engine.garbage import Kept
from modelkeep.core.errors import CorruptObject, InvalidFile, ModelkeepError, NoRemote, NotFound, Refused
from modelkeep.core.formats.manifest import parse_manifest
from modelkeep.core.paths import visible
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Manifest, ObjectId, Output
from modelkeep.core.workflows.scope import remote_of

_Named = tuple[Output, str]


class Manifests:
    """Adds the files of folders to `kept`. Each list is read once, also if it is wanted again later."""

    def __init__(self, project: Project, kept: Kept, notes: list[str], *, lenient: bool) -> None:
        self._project = project
        self._kept = kept
        self._lenient = lenient
        self._wanted: dict[ObjectId, _Named] = {}
        self._read: set[ObjectId] = set()
        self._notes = notes

    def want(self, out: Output, where: str) -> None:
        """The folder `out` of the version called `where` stays."""
        if out.oid is not None and out.oid not in self._read:
            self._wanted.setdefault(out.oid, (out, where))

    def read(self, progress: Progress) -> None:
        """Read all lists that are wanted. Raises Refused, ConnectionLost and the like."""
        lacking: dict[ObjectId, _Named] = {}
        cache = self._project.cache
        for oid, named in self._wanted.items():
            progress.check()
            try:
                # Not remembered: the lists of all versions may be more than memory holds.
                self._take(parse_manifest(cache.read(oid), oid, cache.name))
            except (NotFound, CorruptObject):
                lacking[oid] = named
            except InvalidFile as error:
                raise self._refused(oid, named, error.reason) from error
        if lacking:
            self._ask_remotes(lacking, progress)
        self._wanted = {}  # not sooner: what could not be read is wanted again the next time

    def _take(self, manifest: Manifest) -> None:
        self._kept.add_files((entry.hash for entry in manifest.entries), legacy=manifest.oid.legacy)
        self._read.add(manifest.oid)

    def _ask_remotes(self, lacking: dict[ObjectId, _Named], progress: Progress) -> None:
        groups: dict[str | None, list[ObjectId]] = {}
        for oid, (out, _) in lacking.items():
            groups.setdefault(self._remote_of(out), []).append(oid)
        for name, oids in groups.items():
            reason = "no remote is set up"
            if name is not None:
                try:
                    with self._project.using_remote(name) as store:
                        found = store.manifests(oids, progress.child(f"Asking {name}"))
                except ModelkeepError as error:
                    reason, found = f"{name} could not be asked ({error.title})", {}
                else:
                    reason = f"{name} does not have it"
                for manifest in found.values():
                    if isinstance(manifest, Manifest):
                        self._take(manifest)
            for oid in oids:
                if oid not in self._read:
                    self._missing(oid, lacking[oid], reason)

    def _remote_of(self, out: Output) -> str | None:
        try:
            return remote_of(out, self._project.config, None)
        except NoRemote:
            return None

    def _missing(self, oid: ObjectId, named: _Named, reason: str) -> None:
        out, where = named
        if not self._lenient or not (out.imported or not out.push or out.cloud):
            raise self._refused(oid, named, f"it is not in the cache, and {reason}")
        self._notes.append(
            f"The list of files of {visible(out.path)} in {where} is not here; what is not on the remote stays."
        )
        self._read.add(oid)

    @staticmethod
    def _refused(oid: ObjectId, named: _Named, reason: str) -> Refused:
        out, where = named
        return Refused(
            f"Nothing is removed, because the list of files of {visible(out.path)} in {where} cannot be read.",
            detail=f"{visible(out.metafile)} names {oid.name}: {reason.rstrip('.')}.",
            hint="Fetch it, or have it pushed by whoever has it, or choose a scope without that version.",
            paths=(out.metafile,),
        )
