"""Carries out a checkout plan: everything is checked and staged first, then renamed into place.

Staging happens outside the user's data, on the same file system. From the journal on, a kill leaves a
workspace that the next checkout completes: each file is either still the old one or already the new one.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from modelkeep.core.durable import MANY, store_failed, sync_file_system, sync_folder, write_file
from modelkeep.core.engine.cache_link import LINKED, Links
from modelkeep.core.engine.workspace_checkout import CheckoutPlan, Placing, Removal
from modelkeep.core.engine.workspace_hash import same_file
from modelkeep.core.engine.workspace_site import OWN, Site
from modelkeep.core.engine.workspace_stage import Stage
from modelkeep.core.errors import Refused, StoreFailed
from modelkeep.core.leftovers import temp_name
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import visible
from modelkeep.core.progress import SILENT, Progress

JOURNAL = f"{OWN}/op.json"
_STAGE = f"{OWN}/stage"


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
        self,
        site: Site,
        plan: CheckoutPlan,
        tracked: Callable[[], Iterable[str]],
        progress: Progress = SILENT,
    ) -> None:
        """`tracked` gives the paths the workspace tracks now: an unfinished checkout of others is over."""
        assert plan.request is not None
        self._site = site
        self._plan = plan
        self._tracked = tracked
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
            with self._staging() as folder:
                stage = self._staged(folder, modes)
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

    def _staged(self, folder: Path, modes: Mapping[str, int]) -> Stage:
        plan, site = self._plan, self._site
        progress = self._progress.child("Writing files", plan.bytes, files=len(plan.placings))
        types = ("copy",) if self._is_export else site.link_types
        links = Links(site.cache, types, site.memory, progress)
        stage = Stage(site, self._tree, os.fspath(folder), links, progress)
        stage.fill(plan.placings, modes)
        return stage

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
        left = set(before.outputs).intersection(self._tracked()).difference(ours) if before else ()
        write_journal(self._site, [*ours, *sorted(left)])
        yield
        if left:
            write_journal(self._site, sorted(left))
        else:
            self._site.own.unlink(JOURNAL)

    def _apply(self, stage: Stage, metafiles: Mapping[str, bytes]) -> None:
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
        stage.remember(self._tree)

    def _place_all(self, stage: Stage) -> None:
        for folder, group in groupby(stage.single, key=lambda pair: pair[1].path.rpartition("/")[0]):
            self._touched.add(folder)
            with self._tree.parent(f"{folder}/x" if folder else "x", create=True) as (fd, path):
                for staged, one in group:
                    name = one.path.rpartition("/")[2]
                    place = name if fd is not None else os.path.join(os.path.dirname(path), name)
                    self._check_untouched(one, place, fd)
                    os.replace(staged, place, dst_dir_fd=fd)
        for folder, staged in stage.whole.items():
            self._place_whole(folder, staged)

    def _place_whole(self, folder: str, staged: str) -> None:
        """Put a folder that did not exist into place. The system refuses if there is anything by now."""
        self._touched.add(folder.rpartition("/")[0])
        with self._tree.parent(folder, create=True) as (fd, place):
            try:
                os.rename(staged, place, dst_dir_fd=fd)
            except (FileExistsError, NotADirectoryError):
                raise _changed(folder) from None
            except OSError as error:
                if error.errno == errno.ENOTEMPTY:
                    raise _changed(folder) from None
                raise

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
