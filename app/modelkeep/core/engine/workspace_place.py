"""Carries out a checkout plan: everything is checked and staged first, then renamed into place.

Staging happens outside the user's data, on the same file system. From the journal on, a kill leaves a
workspace that the next checkout completes: each file is either still the old one or already the new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from modelkeep.core.durable import (
    MANY,
    fill_new,
    store_failed,
    sync_file_system,
    sync_files,
    sync_folder,
    write_file,
)
from modelkeep.core.engine.cache_link import LINKED, Links
from modelkeep.core.engine.statmemory import RACY_NS
from modelkeep.core.engine.workspace_checkout import CheckoutPlan, Placing, Removal
from modelkeep.core.engine.workspace_hash import same_file
from modelkeep.core.engine.workspace_site import OWN, Site
from modelkeep.core.errors import CorruptObject, Refused, StoreFailed
from modelkeep.core.leftovers import temp_name
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import visible
from modelkeep.core.progress import SILENT, Progress

JOURNAL = f"{OWN}/op.json"
_STAGE = f"{OWN}/stage"
#: Later changes to a file show in its times once this much time (seconds) has passed: Linux ticks at 4–10 ms.
_TICK = 0.02


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A checkout that was interrupted after it had begun to change files."""

    started: datetime | None
    outputs: tuple[str, ...]

    @property
    def text(self) -> str:
        """What to tell the user, in one sentence."""
        names = ", ".join(visible(path) for path in self.outputs[:3]) or "the data"
        return f"A checkout of {names} was interrupted; run checkout again to complete it."


class Placement:
    """One run of a plan whose refusals have been dealt with. The caller holds the locks."""

    def __init__(
        self, site: Site, plan: CheckoutPlan, tracked: Iterable[str], progress: Progress = SILENT
    ) -> None:
        """`tracked` are the paths the workspace tracks now: an unfinished checkout of others is over."""
        assert plan.request is not None
        self._site = site
        self._plan = plan
        self._tracked = frozenset(tracked)
        self._progress = progress
        self._tree = plan.request.target or site.tree
        self._is_export = plan.request.target is not None
        self._touched: set[str] = set()

    def run(self, metafiles: Mapping[str, bytes], modes: Mapping[str, int]) -> None:
        """Stage all files, then put them into place. Raises CorruptObject, StoreFailed, Refused before the
        first change; after that only if somebody else changes the same files meanwhile."""
        try:
            if self._is_export:
                self._tree.root.mkdir(parents=True, exist_ok=True)
            self._check_space()
            self._check_copies()
            with self._staging() as stage:
                self._stage(stage, modes)
                with self._journal():
                    self._apply(stage, metafiles)
        except OSError as error:
            raise store_failed(error, os.fspath(error.filename or self._tree.root)) from error

    # -- before anything changes -----------------------------------------------------------------------

    def _check_space(self) -> None:
        if not self._is_export and self._site.link_types[0] in LINKED:
            return
        need = self._plan.bytes + self._plan.bytes // 20
        free = shutil.disk_usage(self._tree.root).free
        if self._plan.bytes and free < need:
            raise StoreFailed(
                f"There is not enough space in {self._tree.root}: {need:,} bytes are needed, {free:,} are free.",
                hint="Free some space and try again; nothing was changed.",
            )

    def _check_copies(self) -> None:
        """Read again the objects that justify removing a file, because they will be its last copy (R8)."""
        losing = {oid: one for one in (*self._plan.removals, *self._plan.replaced) for oid in one.copies}
        here = self._site.cache.present(losing)
        progress = self._progress.child("Checking saved copies", sum(here.values()), files=len(here))
        damaged = self._site.cache.verify(here, progress)
        if not damaged:
            return
        names = {error.name for error in damaged}
        wrong = [oid for oid in here if oid.name in names]
        for oid in wrong:
            self._site.cache.quarantine(oid)
        path = losing[wrong[0]].path
        raise Refused(
            f"The saved copy of {visible(path)} is damaged, so the file is not replaced.",
            detail=damaged[0].title,
            hint="Save the file again with modelkeep add; nothing was changed.",
            paths=tuple(losing[oid].path for oid in wrong),
        )

    @contextlib.contextmanager
    def _staging(self) -> Iterator[Path]:
        """A fresh folder on the file system of the data, outside of it; removed at the end."""
        stage = self._stage_place()
        stage.mkdir(parents=True)
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)

    def _stage_place(self) -> Path:
        if self._is_export:
            return self._tree.root / temp_name()
        own = self._site.own.path(f"{_STAGE}/x").parent  # no link on the way: it is removed as a whole
        shutil.rmtree(own, ignore_errors=True)  # what a killed run left; we hold the lock
        request = self._plan.request
        if request is None or not self._plan.placings:
            return own / "none"
        first = self._plan.placings[0].path
        top = next((out.path for out in request.outputs if f"{first}/".startswith(f"{out.path}/")), first)
        folder = self._tree.path(top).parent
        while not folder.exists():
            folder = folder.parent
        if folder.stat().st_dev == (self._site.root / ".dvc").stat().st_dev:
            return own / temp_name().strip(".")
        return folder / temp_name()

    def _stage(self, stage: Path, modes: Mapping[str, int]) -> None:
        plan = self._plan
        progress = self._progress.child("Writing files", plan.bytes, files=len(plan.placings))
        damaged: list[tuple[Placing, CorruptObject]] = []
        links = Links(self._site.cache, ("copy",) if self._is_export else self._site.link_types, progress)
        written: list[str] = []
        for number, one in enumerate(plan.placings):
            place = f"{stage}/{number}"
            try:
                own_mode = one.is_exec or one.path in modes  # which a link would give to the object
                if own_mode or not links.make(one.oid, Path(place)):
                    fill_new(place, self._site.cache.copy_out(one.oid, progress))
                    written.append(place)
            except CorruptObject as error:
                damaged.append((one, error))
            progress.advance(files=1)
        if damaged:
            raise _all_damaged(damaged)
        sync_files(os.fspath(stage), written)
        for number, one in enumerate(plan.placings):
            if one.path in modes:
                (stage / str(number)).chmod(modes[one.path])
            elif one.is_exec:
                place = f"{stage}/{number}"
                os.chmod(place, os.stat(place).st_mode | 0o100)

    # -- the change ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _journal(self) -> Iterator[None]:
        """Written before the first change and removed after the last; stays if the change does not end well."""
        request = self._plan.request
        if self._is_export or request is None:
            yield
            return
        ours = [out.path for out in (*request.outputs, *request.gone)]
        before = unfinished_checkout(self._site)
        left = [path for path in before.outputs if path in self._tracked] if before else []
        left = [path for path in left if path not in ours]
        write_journal(self._site, [*ours, *left])
        yield
        if left:
            write_journal(self._site, left)
        else:
            self._site.own.unlink(JOURNAL)

    def _apply(self, stage: Path, metafiles: Mapping[str, bytes]) -> None:
        plan = self._plan
        self._progress.child("Putting files into place", files=len(plan.placings)).note("")
        for path, text in metafiles.items():
            write_file(self._tree, path, text)
        for one in (*plan.removals, *plan.replaced):
            if one.first:
                self._remove(one)
        for folder in sorted(plan.emptied, key=len, reverse=True):
            self._tree.rmdir(folder)
        self._place_all(stage)
        for path in plan.make_exec:
            place = self._tree.path(path)
            place.chmod(stat.S_IMODE(place.stat().st_mode) | 0o100)
        for folder in plan.folders:
            with self._tree.parent(f"{folder}/x", create=True):
                pass
        for one in plan.removals:
            if not one.first:
                self._remove(one)
        self._sync()
        self._prune()
        self._remember()

    def _place_all(self, stage: Path) -> None:
        numbered = enumerate(self._plan.placings)
        for folder, group in groupby(numbered, key=lambda pair: pair[1].path.rpartition("/")[0]):
            self._touched.add(folder)
            with self._tree.parent(f"{folder}/x" if folder else "x", create=True) as (fd, path):
                for number, one in group:
                    name = one.path.rpartition("/")[2]
                    place = name if fd is not None else os.path.join(os.path.dirname(path), name)
                    self._check_untouched(one, place, fd)
                    os.replace(f"{stage}/{number}", place, dst_dir_fd=fd)

    def _check_untouched(self, one: Placing, place: str, fd: int | None) -> None:
        """Nobody changed the file since it was found to be saved."""
        try:
            now = os.stat(place, dir_fd=fd)
        except FileNotFoundError:
            if one.over_link or not _is_link(place, fd):
                return
            raise _changed(one.path) from None
        if one.before is None or not _is_untouched(now, one.before.facts):
            raise _changed(one.path)

    def _remove(self, one: Removal) -> None:
        now = os.stat(self._tree.path(one.path))
        if not _is_untouched(now, one.before.facts):
            raise _changed(one.path)
        self._tree.unlink(one.path)
        self._touched.add(one.path.rpartition("/")[0])

    def _sync(self) -> None:
        if len(self._touched) > MANY and sync_file_system(os.fspath(self._tree.root)):
            return
        for folder in self._touched:
            place = self._tree.root / folder
            if place.is_dir():
                sync_folder(os.fspath(place))

    def _prune(self) -> None:
        """Remove folders that the removals left empty, up to the output itself."""
        request = self._plan.request
        assert request is not None
        stops = {out.path for out in request.outputs} | {
            out.path.rpartition("/")[0] for out in (*request.outputs, *request.gone)
        }
        empty = {one.path.rpartition("/")[0] for one in self._plan.removals if not one.first}
        while empty:
            above = set()
            for folder in sorted(empty, key=len, reverse=True):
                if folder and folder not in stops and self._tree.rmdir(folder):
                    above.add(folder.rpartition("/")[0])
            empty = above

    def _remember(self) -> None:
        """Remember the hashes of what was written: the bytes were hashed on their way and nobody saw them before."""
        time.sleep(_TICK)
        later = time.time_ns() + RACY_NS
        for one in self._plan.placings:
            if not one.oid.legacy:
                with contextlib.suppress(OSError):
                    facts = os.lstat(os.path.join(self._tree.root, one.path))
                    if facts.st_size == one.size and facts.st_nlink == 1:
                        self._site.memory.remember(facts, one.oid.hash, read_at=later)
        self._site.memory.save()


def _is_untouched(now: os.stat_result, before: os.stat_result) -> bool:
    """Whether a file is still the one that was looked at. Of a link to an object only the ctime may change: this
    run makes and removes other links to it, and protects it."""
    if now.st_nlink == before.st_nlink == 1 and stat.S_IMODE(now.st_mode) != 0o444:
        return same_file(now, before)
    return (now.st_ino, now.st_size, now.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)


def _is_link(place: str, fd: int | None) -> bool:
    try:
        return stat.S_ISLNK(os.stat(place, dir_fd=fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _changed(path: str) -> Refused:
    return Refused(
        f"{visible(path)} was changed by somebody else during the checkout.",
        hint="Run checkout again; what was changed is still there.",
        paths=(path,),
    )


def _all_damaged(damaged: Sequence[tuple[Placing, CorruptObject]]) -> CorruptObject:
    """One error for all objects that were found to be wrong; they are in quarantine."""
    first, error = damaged[0]
    more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
    found = CorruptObject(
        error.name,
        error.where,
        hint=f"It was moved away and nothing was changed. Fetch {visible(first.path)}{more} again.",
    )
    found.paths = tuple(one.path for one, _ in damaged)
    return found


def unfinished_checkout(site: Site) -> Unfinished | None:
    """The checkout that was killed half-way, if there is one."""
    try:
        text = site.own.read(JOURNAL)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        record = json.loads(text)
        outputs = tuple(str(path) for path in record["outputs"])
        return Unfinished(datetime.fromisoformat(record["started"]), outputs)
    except (ValueError, KeyError, TypeError, RecursionError):
        return Unfinished(None, ())


def write_journal(site: Site, outputs: Sequence[str]) -> None:
    """Put on record that a checkout of `outputs` is under way."""
    record = {"operation": "checkout", "started": datetime.now(UTC).isoformat(), "outputs": list(outputs)}
    write_file(site.own, JOURNAL, json.dumps(record).encode())
