"""The workspace of a project: what it tracks, how it stands, recording data and bringing data back.

The door to the `workspace_*` modules: it takes the locks and holds what they share. Knows no remotes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from modelkeep.core.engine import replaced, workspace_add, workspace_run, workspace_status
from modelkeep.core.engine.cache import Cache
from modelkeep.core.engine.cache_link import LINKED
from modelkeep.core.engine.catalogue import Catalogue
from modelkeep.core.engine.history import History
from modelkeep.core.engine.workspace_checkout import CheckoutPlan, plan_checkout
from modelkeep.core.engine.workspace_look import current_content, look
from modelkeep.core.engine.workspace_outputs import Outputs
from modelkeep.core.engine.workspace_place import Unfinished, unfinished_checkout
from modelkeep.core.engine.workspace_scan import Ignore
from modelkeep.core.engine.workspace_site import Site
from modelkeep.core.engine.workspace_targets import project_paths
from modelkeep.core.errors import Refused
from modelkeep.core.formats.config import Config
from modelkeep.core.nouns import replace
from modelkeep.core.paths import Tree
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import (
    Changes,
    Output,
    Problem,
    Snapshot,
    Status,
    Version,
    VersionKind,
)


class Workspace:
    """One project's workspace. Safe from several threads; operations that change it take DVC's locks.

    Paths are POSIX and relative to `root`, the folder that holds `.dvc`.
    """

    def __init__(
        self,
        root: Path,
        *,
        git_root: Path | None = None,
        cache: Cache,
        config: Config,
        history: History | None,
    ) -> None:
        self.root = root
        self.git_root = git_root
        self.last_outputs: tuple[Output, ...] = ()
        self._site = Site(root, cache=cache, config=config, history=history)
        self._outputs = Outputs(self._site)
        self._catalogue = Catalogue(history) if history is not None else None

    # -- reading ---------------------------------------------------------------------------------------

    def outputs(self, progress: Progress = SILENT) -> Snapshot:
        """What the metafiles on disk track, sorted by path; what could not be read is in `problems`."""
        found = self._outputs.read(progress)
        self.last_outputs = found.outputs
        return found

    @property
    def unread(self) -> tuple[str, ...]:
        """Folders and metafiles that the last `outputs` could not look into: what they track is not known."""
        return tuple(self._outputs.unread)

    def status(self, progress: Progress = SILENT) -> Status:
        """How data stands against metafiles, and metafiles against HEAD; files are hashed where not remembered.

        An output's state is NOT_IN_CACHE where data is absent because its objects are not here, and NEW where
        data exists that was never recorded. A changed executable bit is no change.
        """
        history = self._site.history
        branch, commit = history.head() if history is not None else (None, "")
        head = None
        if self._catalogue is not None and commit:
            head = self._catalogue.snapshot(Version(VersionKind.COMMIT, commit[:8], commit=commit))
        found = workspace_status.read_status(self._site, self.outputs(progress), head, progress)
        if history is None:
            return found
        upstream, ahead, behind = history.upstream()
        changes, problems = self._git_changes(history)
        return replace(
            found,
            branch=branch,
            commit=commit,
            upstream=upstream,
            ahead=ahead,
            behind=behind,
            git_changes=tuple(changes),
            git_added=frozenset(path for path, mark in changes.items() if mark == "added"),
            git_removed=frozenset(path for path, mark in changes.items() if mark == "removed"),
            problems=(*found.problems, *problems),
        )

    @staticmethod
    def _git_changes(history: History) -> tuple[dict[str, str], tuple[Problem, ...]]:
        try:
            return history.marked_changes(), ()
        except Refused as error:  # this repository's settings start programs the user has not allowed
            return {}, (Problem(".git/config", error.title),)

    def content(self, progress: Progress = SILENT) -> dict[str, tuple[str, int | None]]:
        """Hash and size of every data file on disk by its path, as `compare_trees` takes it."""
        outputs = [out for out in self.outputs(progress).outputs if out.cached]
        return current_content(self._site, outputs, progress)

    def measure(self, path: str) -> tuple[int, int]:
        """(files, bytes) that would be recorded at `path`, by looking only; (0, 0) where nothing is."""
        path = project_paths(self._site, [path], glob=False)[0]
        seen = look(self._site.tree, path, Ignore(self.root))
        return len(seen.files), sum(one.facts.st_size for one in seen.files.values())

    # -- recording -------------------------------------------------------------------------------------

    def add(
        self,
        targets: Sequence[str],
        *,
        file: str | None = None,
        glob: bool = False,
        progress: Progress = SILENT,
    ) -> Changes:
        """Record files and folders as they are now: into the cache, their metafiles and `.gitignore`.

        `targets` are relative to the project or absolute; with `glob` they are patterns. A path inside a
        folder output updates that output. `file` keeps the metafile of a single new target elsewhere
        (`DIR/NAME.dvc`). Everything is checked before anything is written; raises Refused, NotFound,
        UnsafePath, UsageError, Busy, StoreFailed, Cancelled. Unchanged data leaves every file as it is. Where the
        user's `cache.type` asks for links, the data becomes links to its objects.
        """
        paths = project_paths(self._site, targets, glob=glob)
        with self._site.locked("modelkeep add", paths):
            unfinished = unfinished_checkout(self._site)
            if unfinished is not None:
                raise Refused(
                    "Nothing is recorded while a checkout is unfinished: the data may be half old, half new.",
                    detail=unfinished.text,
                    hint="Complete it first: modelkeep checkout",
                )
            done = workspace_add.add(self._site, self.outputs(progress), paths, file=file, progress=progress)
            if self._site.link_types[0] in LINKED:
                workspace_run.relink(self._site, self.outputs(progress).outputs, paths, progress)
            return done

    # -- bringing back ---------------------------------------------------------------------------------

    def plan_checkout(
        self,
        outputs: Sequence[Output],
        *,
        sub: Mapping[str, tuple[str, ...]] | None = None,
        gone: Sequence[Output] = (),
        target: Tree | None = None,
        expect_fetched: bool = False,
        relink: bool = False,
        progress: Progress = SILENT,
    ) -> CheckoutPlan:
        """Decide how data becomes what `outputs` record; changes nothing.

        `sub` limits folder outputs to files or folders in them. The data of `gone` outputs is removed.
        `target` is another folder to write to, where nothing is removed. With `expect_fetched` objects that
        are not here are no obstacle yet. With `relink` unchanged files are placed anew where they are not the
        kind of link that `cache.type` asks for. Raises UnsafePath, CorruptObject, InvalidFile.
        """
        return plan_checkout(
            self._site,
            outputs,
            sub=sub,
            gone=gone,
            target=target,
            expect_fetched=expect_fetched,
            relink=relink,
            progress=progress,
        )

    def run_checkout(
        self,
        plan: CheckoutPlan,
        *,
        force: bool = False,
        save_first: bool = True,
        metafiles: Mapping[str, bytes] | None = None,
        progress: Progress = SILENT,
    ) -> Changes:
        """Carry out a plan, after looking again. Everything is checked and staged before the first change.

        Raises UnsavedChanges, MissingObjects, CorruptObject, Refused, StoreFailed, Busy. `force` replaces
        unsaved data, which `save_first` puts into the cache and on record (`replaced`). `metafiles` are
        texts to write together with the data.
        """
        request = plan.request
        if request is None:
            return Changes(summary="There is nothing to check out.")
        texts = metafiles or {}
        if request.target is not None:
            run = workspace_run.Checkout.anew(self._site, plan, tuple, progress)
            return run.run(force=force, save_first=save_first, metafiles=texts, modes={})
        paths = [out.path for out in (*request.outputs, *request.gone)]
        with self._site.locked("modelkeep checkout", [*paths, *texts]):
            run = workspace_run.Checkout.anew(self._site, plan, self._tracked, progress)
            return run.run(force=force, save_first=save_first, metafiles=texts, modes={})

    def checkout(
        self,
        outputs: Sequence[Output],
        *,
        sub: Mapping[str, tuple[str, ...]] | None = None,
        relink: bool = False,
        force: bool = False,
        progress: Progress = SILENT,
    ) -> Changes:
        """Plan and run in one go, for a user who is not shown the plan first; raises what both raise."""
        with self._site.locked("modelkeep checkout", [out.path for out in outputs]):
            plan = plan_checkout(self._site, outputs, sub=sub, relink=relink, progress=progress)
            run = workspace_run.Checkout(self._site, plan, self._tracked, progress)
            return run.run(force=force, save_first=True, metafiles={}, modes={})

    def _tracked(self) -> list[str]:
        return [out.path for out in self.outputs().outputs]

    def unfinished_checkout(self) -> Unfinished | None:
        """The checkout that was interrupted while it changed files; another checkout completes it."""
        return unfinished_checkout(self._site)

    def replaced(self) -> tuple[replaced.Replaced, ...]:
        """What forced checkouts replaced, newest first."""
        return replaced.records(self._site.own)

    def bring_back(self, record: str, progress: Progress = SILENT) -> Changes:
        """Put back what the replacement with this id overwrote; what is there now is kept the same way."""
        paths = list(replaced.read_record(self._site.own, record).paths)
        with self._site.locked("modelkeep restore", paths):
            return workspace_run.bring_back(self._site, record, self._tracked, progress)
