"""Objects by their content's name, in a cache or a remote: a Store seen with DVC's two layouts.

Every byte read through here is hashed before it counts. Knows no paths of the workspace, no Git, no metafiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from modelkeep.core.engine.hashing import Verifier, verifying
from modelkeep.core.errors import CorruptObject, InvalidFile, ModelkeepError, NotFound, StoreFailed
from modelkeep.core.formats.manifest import parse_manifest
from modelkeep.core.patterns import pattern
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores.base import Store
from modelkeep.core.stores.local import LocalStore
from modelkeep.core.values import Manifest, ObjectId

#: The largest manifest that is read, in bytes: some five million files.
MANIFEST_LIMIT = 512 << 20
_REMEMBERED_ENTRIES = 2_000_000
_KEY = pattern(r"(?:files/md5/)?[0-9a-f]{2}/[0-9a-f]{30}(?:\.dir)?")


def object_of(key: str) -> ObjectId | None:
    """The object that lies under `key`, or None if no object can lie there."""
    if not _KEY.fullmatch(key):
        return None
    bare = key.removeprefix("files/md5/")
    return ObjectId.parse(bare.replace("/", "", 1), legacy=bare == key)


class _Manifests:
    """Manifests read in this process. A name stands for its bytes, so one reading serves every place."""

    def __init__(self) -> None:
        self._known: dict[ObjectId, Manifest] = {}
        self._entries = 0

    def get(self, oid: ObjectId) -> Manifest | None:
        return self._known.get(oid)

    def put(self, manifest: Manifest) -> None:
        self._entries += len(manifest.entries)
        if self._entries > _REMEMBERED_ENTRIES:
            self._known.clear()
            self._entries = len(manifest.entries)
        self._known[manifest.oid] = manifest


_MANIFESTS = _Manifests()


class ObjectStore:
    """The objects in `store`; `name` is what messages call it. As safe from threads as its store."""

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name

    def present(self, oids: Iterable[ObjectId], progress: Progress = SILENT) -> dict[ObjectId, int]:
        """Those of `oids` that exist now, with their sizes in bytes. Really asks, for each one."""
        keys = {oid.key: oid for oid in oids}
        sizes = self.store.sizes(keys, progress=progress)
        return {keys[key]: size for key, size in sizes.items()}

    def listing(self, progress: Progress = SILENT) -> dict[str, int]:
        """The keys and sizes of everything that lies where an object of either layout would.

        Anything else in the place is passed over: it belongs to somebody else.
        """
        try:
            return self._listed("", progress)
        except StoreFailed:  # a stranger's folder beside ours that may not be read, such as lost+found
            found = self._listed("files/md5", progress)
            for number in range(256):
                found |= self._listed(f"{number:02x}", progress)
            return found

    def _listed(self, prefix: str, progress: Progress) -> dict[str, int]:
        items = self.store.list(prefix, progress=progress)
        return {key: size for key, size in items if _KEY.fullmatch(key)}

    def stream(self, oid: ObjectId, progress: Progress = SILENT) -> Iterator[bytes]:
        """The bytes of `oid`; raises NotFound, and CorruptObject after the last chunk if they are not its."""
        return verifying(self.store.read(oid.key, progress=progress), oid, self.name)

    def read(self, oid: ObjectId, progress: Progress = SILENT) -> bytes:
        """The whole of a small object, verified. Raises NotFound, CorruptObject, InvalidFile if too large."""
        parts: list[bytes] = []
        size = 0
        for chunk in self.stream(oid, progress):
            size += len(chunk)
            if size > MANIFEST_LIMIT:
                raise InvalidFile(oid.name, "is too large to be read at once.")
            parts.append(chunk)
        return b"".join(parts)

    def manifest(self, oid: ObjectId, progress: Progress = SILENT) -> Manifest:
        """What a folder consists of. Raises NotFound, CorruptObject, InvalidFile.

        A manifest read before is not read again, wherever it was found: to know whether it is *here*, use
        `present`.
        """
        known = _MANIFESTS.get(oid)
        if known is None:
            known = parse_manifest(self.read(oid, progress), oid, self.name)
            _MANIFESTS.put(known)
        return known

    def manifests(
        self, oids: Iterable[ObjectId], progress: Progress = SILENT, *, fresh: bool = False
    ) -> dict[ObjectId, Manifest | ModelkeepError]:
        """Many manifests in one go: each with its content, or with the error that it ran into.

        With `fresh` each one is read here and now, so that its being here is proven.
        """
        found: dict[ObjectId, Manifest | ModelkeepError] = {}
        asked: dict[str, ObjectId] = {}
        for oid in oids:
            known = None if fresh else _MANIFESTS.get(oid)
            if known is None:
                asked[oid.key] = oid
            else:
                found[oid] = known
        for key, chunks in self.store.read_many(asked, progress=progress):
            found[asked[key]] = self._parse(asked[key], chunks)
        return found

    def _parse(self, oid: ObjectId, chunks: Iterable[bytes]) -> Manifest | ModelkeepError:
        try:
            manifest = parse_manifest(
                b"".join(verifying(chunks, oid, self.name, size=MANIFEST_LIMIT)), oid, self.name
            )
        except ModelkeepError as error:
            if error.retryable:
                raise
            return error
        _MANIFESTS.put(manifest)
        return manifest

    def path(self, oid: ObjectId) -> Path | None:
        """Where the object lies or would lie on this machine; None for storage elsewhere."""
        return self.store.path(oid.key) if isinstance(self.store, LocalStore) else None

    def verify(self, oids: Iterable[ObjectId], progress: Progress = SILENT) -> tuple[CorruptObject, ...]:
        """Read every one of `oids` again and return those whose bytes are wrong; absent ones are not listed."""
        keys = {oid.key: oid for oid in oids}
        damaged: list[CorruptObject] = []
        for key, chunks in self.store.read_many(keys, progress=progress):
            try:
                for chunk in Verifier(keys[key], self.name).chunks(chunks):
                    progress.advance(len(chunk))
            except CorruptObject as error:
                damaged.append(error)
            except NotFound:
                continue
            progress.advance(files=1)
        return tuple(damaged)

    def remove(self, oid: ObjectId) -> None:
        """Remove an object; one that is not there is fine."""
        self.store.delete(oid.key)

    def close(self) -> None:
        """Let go of the store's connections."""
        self.store.close()
