"""Decides what a transfer between two object stores will do, having asked both. Moves nothing.

The plan is a value that can be shown before anything happens. Knows no outputs, versions or Git.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from modelkeep.core.engine.cache import Cache
from modelkeep.core.engine.objectstore import ObjectStore
from modelkeep.core.errors import CorruptObject, ModelkeepError, NotFound
from modelkeep.core.nouns import dataclass, field
from modelkeep.core.paths import visible
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import Manifest, ObjectId

_OF_NOTHING = "d41d8cd98f00b204e9800998ecf8427e"
Only = Mapping[str, Sequence[str]]
Sizes = dict[ObjectId, int]
Failure = tuple["Wanted", ModelkeepError]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object that something names. `label` is the path it belongs to, for messages."""

    oid: ObjectId
    label: str


@dataclass(frozen=True)
class TransferPlan:
    """What a transfer will do. `copy` is in order: files, then manifests, each by key; `bytes` is its size.

    `present` counts objects the target has already. `missing` are in neither place. `folders` names for each
    manifest the files that must be on the target before it. `withheld` manifests will not be copied because
    some of their files are missing. `failed` could not be planned, such as damaged manifests.
    """

    copy: tuple[ObjectId, ...] = ()
    bytes: int = 0
    present: int = 0
    missing: tuple[Wanted, ...] = ()
    folders: Mapping[ObjectId, tuple[ObjectId, ...]] = field(default_factory=dict)
    withheld: tuple[Wanted, ...] = ()
    failed: tuple[Failure, ...] = ()
    sizes: Mapping[ObjectId, int] = field(default_factory=dict)
    labels: Mapping[ObjectId, str] = field(default_factory=dict)


def plan_transfer(
    source: ObjectStore,
    target: ObjectStore,
    wanted: Iterable[Wanted],
    progress: Progress = SILENT,
    *,
    only: Only | None = None,
) -> TransferPlan:
    """Ask both sides what it takes to have all of `wanted`, and the files of its folders, on the target.

    Files of a folder are asked for one by one, even where the target has its manifest. An object of another
    size than the source's (where asking that is cheap) counts as absent and will be sent again. `only` limits
    folders, by label, to these paths inside them. Raises ConnectionLost and the like, never for one object.
    """
    needs = _Needs(source, target, only or {})
    needs.add(tuple(wanted), progress)
    there, here = _ask_both(source, target, needs.asked, progress)
    lacking = {oid for oid in needs.asked if not agree(oid, there.get(oid), here.get(oid))}
    gone = {oid for oid in lacking if oid not in here}
    unmet = gone | (lacking - needs.labels.keys())
    held = [
        oid for oid, files in needs.folders.items() if oid in lacking - gone and unmet.intersection(files)
    ]
    chosen = lacking.intersection(here).intersection(needs.labels).difference(held)
    # By name, because stores then deal with one folder after the other.
    copy = sorted((oid for oid in needs.labels if oid in chosen), key=lambda oid: (oid.is_dir, oid.key))
    return TransferPlan(
        copy=tuple(copy),
        bytes=sum(here[oid] for oid in copy),
        present=len(needs.labels.keys() - lacking),
        missing=tuple(Wanted(oid, label) for oid, label in needs.labels.items() if oid in gone),
        folders=needs.folders,
        withheld=tuple(Wanted(oid, needs.labels[oid]) for oid in held),
        failed=tuple(needs.failed),
        sizes={oid: here[oid] for oid in copy},
        labels=needs.labels,
    )


def _ask_both(
    source: ObjectStore, target: ObjectStore, asked: Iterable[ObjectId], progress: Progress
) -> tuple[Sizes, Sizes]:
    """What (the target, the source) has of `asked`. A remote source is asked only for what the target lacks."""
    if not source.store.traits.is_local:
        there = target.present(asked, progress)
        return there, source.present([oid for oid in asked if oid not in there], progress)
    if target.store.traits.is_local:
        return target.present(asked, progress), source.present(asked, progress)
    # A server takes its time, and meanwhile this machine can look at its own disk.
    answers: list[Sizes] = []
    problems: list[BaseException] = []

    def look() -> None:
        try:
            answers.append(source.present(asked, progress))
        except BaseException as error:  # raised again where it is waited for
            problems.append(error)

    looking = threading.Thread(target=look, name="look at the cache", daemon=True)
    looking.start()
    try:
        there = target.present(asked, progress)
    finally:
        looking.join()
    if problems:
        raise problems[0]
    return there, answers[0]


def agree(oid: ObjectId, there: int | None, here: int | None) -> bool:
    """Whether the target has the object, as far as sizes tell.

    Legacy files that differ in line ends share one name, so their sizes say nothing. Nothing at all is the
    content of one object only: whatever else is empty was cut off on its way.
    """
    if there is None or (there == 0 and oid.hash != _OF_NOTHING):
        return False
    return here is None or here == there or (oid.legacy and not oid.is_dir)


class _Needs:
    """All objects that a transfer is about: `labels` those to be moved, `asked` also those only looked for."""

    def __init__(self, source: ObjectStore, target: ObjectStore, only: Only) -> None:
        # The cache first: what is damaged there must be found, even where the other is good.
        order = {one: (not isinstance(one, Cache), not one.store.traits.is_local) for one in (source, target)}
        self._stores = sorted(order, key=order.__getitem__)
        self._only = only
        self._partial_is_fine = isinstance(target, Cache)
        self.labels: dict[ObjectId, str] = {}
        self.asked: dict[ObjectId, None] = {}
        self.folders: dict[ObjectId, tuple[ObjectId, ...]] = {}
        self.failed: list[Failure] = []

    def add(self, wanted: Sequence[Wanted], progress: Progress) -> None:
        found = self._read({one.oid for one in wanted if one.oid.is_dir}, progress)
        for one in wanted:
            manifest = found.get(one.oid)
            if isinstance(manifest, ModelkeepError):
                self.failed.append((one, labelled(manifest, one.label)))
                continue
            if manifest is not None:
                self._add_folder(one, manifest)
            self._add(one.oid, one.label)

    def _add(self, oid: ObjectId, label: str) -> None:
        self.labels.setdefault(oid, label)
        self.asked[oid] = None

    def _add_folder(self, folder: Wanted, manifest: Manifest) -> None:
        legacy = folder.oid.legacy
        chosen = tuple(self._only.get(folder.label, ()))
        required: dict[ObjectId, None] = {}
        for path, digest in manifest.entries:
            oid = ObjectId(digest, legacy=legacy)
            wanted = not chosen or _within(path, chosen)
            if wanted:
                self._add(oid, f"{folder.label}/{path}")
            if wanted or not self._partial_is_fine:
                required[oid] = self.asked[oid] = None
        self.folders[folder.oid] = tuple({**dict.fromkeys(self.folders.get(folder.oid, ())), **required})

    def _read(self, oids: set[ObjectId], progress: Progress) -> dict[ObjectId, Manifest | ModelkeepError]:
        """The manifests, from this machine if possible; those that are nowhere are left out."""
        found: dict[ObjectId, Manifest | ModelkeepError] = {}
        for store in self._stores:
            asked = [oid for oid in oids if not isinstance(found.get(oid), Manifest)]
            for oid, got in store.manifests(asked, progress).items() if asked else ():
                if isinstance(got, NotFound):
                    continue
                if isinstance(got, CorruptObject) and isinstance(store, Cache):
                    store.quarantine(oid)
                found[oid] = got
        return found


def _within(path: str, chosen: Sequence[str]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in chosen)


def labelled(error: ModelkeepError, label: str) -> ModelkeepError:
    """The same error, saying which file of the user it is about."""
    if not error.detail:
        error.detail = f"It belongs to {visible(label)}."
    return error
