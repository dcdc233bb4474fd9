"""Moves objects between two object stores: push, fetch and remote to remote are the same with places swapped.

First a plan (`transfer_plan`), then the run, which keeps the promises: every byte is hashed on its way, what is
wrong goes nowhere, and a manifest arrives only where all its files are. `prove` asks again afterwards. Knows no
outputs, versions or Git.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

from modelkeep.core.engine.cache import Cache
from modelkeep.core.engine.objectstore import ObjectStore
from modelkeep.core.engine.transfer_plan import (
    Failure,
    TransferPlan,
    Wanted,
    agree,
    labelled,
    plan_transfer,
)
from modelkeep.core.engine.transfer_read import Reader
from modelkeep.core.errors import LoginFailed, ModelkeepError, StoreFailed
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import visible
from modelkeep.core.progress import SILENT, Cancelled, Progress
from modelkeep.core.stores.base import Incoming
from modelkeep.core.values import ObjectId

__all__ = ["TransferPlan", "TransferResult", "Wanted", "plan_transfer", "prove", "run_transfer"]


@dataclass(frozen=True)
class TransferResult:
    """What a transfer did: objects and bytes copied, what failed and why, and manifests held back."""

    copied: int = 0
    bytes: int = 0
    failed: tuple[Failure, ...] = ()
    withheld: tuple[Wanted, ...] = ()


# -- running -------------------------------------------------------------------------------------------


def run_transfer(
    plan: TransferPlan, source: ObjectStore, target: ObjectStore, progress: Progress = SILENT
) -> TransferResult:
    """Do what `plan` says and return what became of it; running a new plan afterwards does the rest.

    Reports bytes and files to `progress` itself. An object that fails is in `failed` and the others go on; a
    damaged one in the cache is moved into quarantine, a damaged one from a remote never gets a name here. A
    manifest follows only when the target, asked again, has all its files. Raises StoreFailed if the target
    has not enough space, ConnectionLost, LoginFailed, Cancelled; what was finished by then stays.
    """
    _check_space(plan, target, progress)
    run = _Run(plan, source, target, progress)
    files = [oid for oid in plan.copy if not oid.is_dir]
    run.send(files)
    run.send(run.complete([oid for oid in plan.copy if oid.is_dir]))
    return run.result()


def _check_space(plan: TransferPlan, target: ObjectStore, progress: Progress) -> None:
    need = plan.bytes + plan.bytes // 20
    free = _free_space(target, progress) if plan.bytes else None
    if free is not None and free < need:
        raise StoreFailed(
            f"There is not enough space in {target.name}: {need:,} bytes are needed, {free:,} are free.",
            hint="Free some space there and try again; nothing was changed.",
        )


def _free_space(target: ObjectStore, progress: Progress) -> int | None:
    """Asks in a thread of its own, because a silent server must not delay a cancel. None: it cannot say."""
    if target.store.traits.is_local:
        return target.store.free_space()
    answers: list[int | None] = []

    def ask() -> None:
        with contextlib.suppress(ModelkeepError):  # a lost connection is for the transfer to notice
            answers.append(target.store.free_space())

    asking = threading.Thread(target=ask, name="free space", daemon=True)
    asking.start()
    while asking.is_alive():
        asking.join(0.05)
        progress.check()
    return answers[0] if answers else None


class _Run:
    """One transfer at work."""

    def __init__(
        self, plan: TransferPlan, source: ObjectStore, target: ObjectStore, progress: Progress
    ) -> None:
        self._plan = plan
        self._source = source
        self._target = target
        self._progress = progress
        self._copied: dict[ObjectId, int] = {}
        self._errors: dict[ObjectId, ModelkeepError] = {}
        self._damaged: set[ObjectId] = set()
        self._withheld: list[Wanted] = list(plan.withheld)

    def send(self, oids: Sequence[ObjectId]) -> None:
        """Copy these objects, each verified on the way."""
        if not oids:
            return
        by_key = {oid.key: oid for oid in oids}
        self._target.store.write_many(
            self._incoming(by_key),
            self._progress,
            lambda key, size: self._done(by_key[key], size),
            lambda key, error: self._failed(by_key[key], error),
        )

    def _incoming(self, by_key: Mapping[str, ObjectId]) -> Iterator[Incoming]:
        """Contents in order. Those on this machine are opened when they are read, so the target may take
        several at once; a remote is read as one stream, so its contents follow one another."""
        reader = Reader(self._source, self._progress, self._damaged.add)
        sizes = self._plan.sizes
        if reader.is_local:
            for oid in by_key.values():
                yield reader.incoming(oid, sizes[oid])
            return
        for key, chunks in self._source.store.read_many(by_key, progress=self._progress):
            oid = by_key[key]
            yield reader.incoming(oid, sizes[oid], chunks)

    def _done(self, oid: ObjectId, size: int) -> None:
        self._copied[oid] = size
        self._progress.advance(files=1)

    def _failed(self, oid: ObjectId, error: Exception) -> None:
        if isinstance(error, Cancelled | LoginFailed) or getattr(error, "retryable", False):
            raise error
        if not isinstance(error, ModelkeepError):
            error = StoreFailed(f"Object {oid.name} could not be copied: {error}.")
        if oid in self._damaged:
            error.hint = self._repair(oid)
        self._errors[oid] = labelled(error, self._plan.labels[oid])

    def _repair(self, oid: ObjectId) -> str:
        if isinstance(self._source, Cache):
            self._source.quarantine(oid)
            return "It was moved out of the cache. Fetch it again, or add the original file again."
        return "Push it again from a machine that has a good copy."

    def complete(self, manifests: Sequence[ObjectId]) -> list[ObjectId]:
        """Those manifests all of whose files are on the target now; the others are withheld."""
        absent = {oid for oid in self._plan.copy if not oid.is_dir and oid not in self._copied}
        if manifests and not isinstance(self._target, Cache):
            absent |= self._vanished(manifests)
        ready = []
        for oid in manifests:
            if absent.isdisjoint(self._plan.folders.get(oid, ())):
                ready.append(oid)
            else:
                self._withheld.append(Wanted(oid, self._plan.labels[oid]))
        return ready

    def _vanished(self, manifests: Sequence[ObjectId]) -> set[ObjectId]:
        """Files that were sent, or were there before, and are not there as they should be."""
        needed = {file for oid in manifests for file in self._plan.folders.get(oid, ())}
        there = self._target.present(needed, self._progress)
        vanished = {oid for oid in needed if not agree(oid, there.get(oid), self._copied.get(oid))}
        for oid in vanished:
            label = self._plan.labels.get(oid, oid.name)
            gone = StoreFailed(
                f"{visible(label)} is not in {self._target.name} any more.", hint="Push again."
            )
            self._errors.setdefault(oid, gone)
        return vanished

    def result(self) -> TransferResult:
        """What was done."""
        labels = self._plan.labels
        failed = ((Wanted(oid, labels.get(oid, oid.name)), error) for oid, error in self._errors.items())
        return TransferResult(
            copied=len(self._copied),
            bytes=sum(self._copied.values()),
            failed=(*self._plan.failed, *failed),
            withheld=tuple(self._withheld),
        )


# -- proving -------------------------------------------------------------------------------------------


def prove(
    target: ObjectStore,
    wanted: Iterable[Wanted],
    progress: Progress = SILENT,
    *,
    source: ObjectStore | None = None,
) -> tuple[Wanted, ...]:
    """Ask the target, now, for everything in `wanted`, and return what is not proven to be there.

    Manifests are read from the target again and hashed, and every file they list is asked for. Sizes must be
    those of `source` (the cache) where it has the object. Nothing remembered counts.
    """
    labels: dict[ObjectId, str] = {}
    unproven: list[Wanted] = []
    wanted = tuple(wanted)
    folders = target.manifests((one.oid for one in wanted if one.oid.is_dir), progress, fresh=True)
    for one in wanted:
        manifest = folders.get(one.oid)
        if isinstance(manifest, ModelkeepError):
            unproven.append(one)
        elif manifest is None:
            labels.setdefault(one.oid, one.label)
        else:
            for path, digest in manifest.entries:
                labels.setdefault(ObjectId(digest, legacy=one.oid.legacy), f"{one.label}/{path}")
    there = target.present(labels, progress)
    here = source.present(labels, progress) if source is not None else {}
    return (
        *unproven,
        *(
            Wanted(oid, label)
            for oid, label in labels.items()
            if not agree(oid, there.get(oid), here.get(oid))
        ),
    )
