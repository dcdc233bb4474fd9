"""Runs a checkout from the refusals to the report, and puts back what an earlier one replaced.

What is refused or replaced is what is true under the lock: a plan made before it is made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from modelkeep.core.engine.cache import Source
from modelkeep.core.engine.replaced import Kept, folder_of, read_record, write_record
from modelkeep.core.engine.workspace_add import ignore_in_git
from modelkeep.core.engine.workspace_checkout import CheckoutPlan, Planner, plan_checkout
from modelkeep.core.engine.workspace_place import Placement, unfinished_checkout
from modelkeep.core.engine.workspace_site import Site
from modelkeep.core.errors import MissingObjects, Refused, UnsavedChanges
from modelkeep.core.nouns import replace
from modelkeep.core.paths import Tree, visible
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import Change, Changes, ObjectId, Output


class Checkout:
    """One run of a plan made now. The caller holds the locks, except for a copy into another folder."""

    def __init__(
        self,
        site: Site,
        plan: CheckoutPlan,
        tracked: Callable[[], Iterable[str]],
        progress: Progress = SILENT,
        *,
        agreed: Iterable[str] | None = None,
    ) -> None:
        """`agreed` is the unsaved data that the user was told of, if there was an earlier plan; `tracked` gives
        the paths that the workspace tracks."""
        assert plan.request is not None
        self._site = site
        self._plan = plan
        self._agreed = frozenset(plan.unsaved if agreed is None else agreed)
        self._tracked = tracked
        self._progress = progress
        self._target = plan.request.target

    @classmethod
    def anew(
        cls,
        site: Site,
        agreed: CheckoutPlan,
        tracked: Callable[[], Iterable[str]],
        progress: Progress = SILENT,
    ) -> Checkout:
        """A run of what was `agreed` before the locks were had."""
        assert agreed.request is not None
        request = replace(agreed.request, expect_fetched=False)
        plan = Planner(site, request, progress.child("Comparing with the workspace")).plan()
        return cls(site, plan, tracked, progress, agreed=agreed.unsaved)

    def run(
        self,
        *,
        force: bool,
        save_first: bool,
        metafiles: Mapping[str, bytes],
        modes: Mapping[str, int],
    ) -> Changes:
        """Refuse what must be refused, save what would be lost, then change the files."""
        self._refuse(force, save_first)
        texts = {path: text for path, text in metafiles.items() if self._text(path) != text}
        if self._plan.is_empty and not texts and (self._target or not unfinished_checkout(self._site)):
            return Changes(summary="Everything is in place already.")
        record = self._save(texts) if save_first else None
        Placement(self._site, self._plan, self._tracked, self._progress).run(texts, modes)
        for out in self._plan.request.outputs if self._plan.request else ():
            if out.metafile in texts:
                ignore_in_git(self._site, out.path)
        return self._report(texts, record)

    def _refuse(self, force: bool, save_first: bool) -> None:
        plan = self._plan
        if plan.blocked:
            raise Refused(
                f"Something that is neither file nor folder is in the way: {_some(plan.blocked)}.",
                hint="Move them elsewhere first; nothing was changed.",
                paths=plan.blocked,
            )
        if plan.missing:
            raise MissingObjects(
                f"Data is not here: {_some(plan.missing)}.",
                hint="Fetch it first (modelkeep pull); nothing was changed.",
                paths=plan.missing,
            )
        agreed = self._agreed if force else frozenset()
        lost = plan.unsaved if not force else tuple(path for path in plan.unsaved if path not in agreed)
        if lost and not (force and save_first):
            raise UnsavedChanges(
                f"Data that is saved nowhere else would be lost: {_some(lost)}.",
                hint="Record it with modelkeep add, or use --force: it is then saved into the cache first.",
                paths=lost,
            )

    def _text(self, path: str) -> bytes | None:
        try:
            return (self._target or self._site.tree).read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _save(self, texts: Mapping[str, bytes]) -> str | None:
        """Put everything that exists nowhere else into the cache, and on record under an id."""
        old = self._unsaved_texts(texts)
        unsaved = set(self._plan.unsaved)
        losing = {
            one.path: one for one in (*self._plan.removals, *self._plan.replaced) if one.path in unsaved
        }
        if not losing and not old:
            return None
        sources = [Source(path, one.before.facts, True) for path, one in losing.items()]
        size = sum(one.before.facts.st_size for one in losing.values())
        progress = self._progress.child("Saving what is replaced", size, files=len(sources))
        tree = self._target or self._site.tree
        saved = self._site.cache.insert_files(tree, sources, progress, memory=self._site.memory)
        kept = {
            path: Kept(ObjectId(one.hash), one.size, losing[path].before.facts.st_mode & 0o777)
            for path, one in sorted(saved.items())
        }
        folder = str(self._target.root) if self._target else ""
        return write_record(self._site.own, kept, old, folder)

    def _unsaved_texts(self, texts: Mapping[str, bytes]) -> dict[str, str]:
        """The metafiles that will be overwritten and are not in HEAD just so."""
        history = self._site.history
        commit = history.head()[1] if history is not None and texts else ""
        found = {}
        for path in texts:
            now = self._text(path)
            if now is not None and not (history and commit and history.blob(commit, path) == now):
                found[path] = now.decode("utf-8", "surrogateescape")
        return found

    def _report(self, texts: Mapping[str, bytes], record: str | None) -> Changes:
        plan = self._plan
        counts = (
            (len(plan.create), "written"),
            (len(plan.replace), "replaced"),
            (len(plan.delete), "removed"),
        )
        said = [f"{count} {_files(count)} {verb}" for count, verb in counts if count]
        what = Change.WORKSPACE | (Change.METAFILES if texts else Change.NONE)
        notes: tuple[str, ...] = ()
        if record is not None:
            count = len(plan.unsaved)
            notes = (f"{count} unsaved {_files(count)} can be brought back from record {record}.",)
        return Changes(
            what=what | (Change.CACHE if record else Change.NONE),
            summary=f"{', '.join(said) or 'Everything is in place'}.",
            paths=(*texts, *plan.create, *plan.replace, *plan.delete),
            files=len(plan.placings),
            bytes=plan.bytes,
            notes=notes,
            details={"replaced": record} if record else {},
        )


def _files(count: int) -> str:
    return "file" if count == 1 else "files"


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(visible(path) for path in paths[:3])
    return shown if len(paths) <= 3 else f"{shown} and {len(paths) - 3} more"


def bring_back(
    site: Site, record: str, tracked: Callable[[], Iterable[str]], progress: Progress = SILENT
) -> Changes:
    """Put back what the replacement `record` had overwritten; what stands there now is saved the same way."""
    found = read_record(site.own, record)
    outputs = [
        Output(path, kept.oid, metafile="", size=kept.size, is_exec=bool(kept.mode & 0o100))
        for path, kept in found.files.items()
    ]
    folder = folder_of(found)
    target = Tree(folder) if folder else None
    plan = plan_checkout(site, outputs, target=target, progress=progress)
    texts = {path: text.encode("utf-8", "surrogateescape") for path, text in found.metafiles.items()}
    modes = {path: kept.mode for path, kept in found.files.items()}
    run = Checkout(site, plan, tracked, progress)
    return run.run(force=True, save_first=True, metafiles=texts, modes=modes)


def relink(site: Site, outputs: Iterable[Output], paths: Sequence[str], progress: Progress = SILENT) -> None:
    """Turn what was just recorded at `paths` into the links that the user's `cache.type` asks for, as DVC does.

    Data that changed meanwhile is left as it is: it has not been recorded.
    """
    known = list(outputs)
    chosen = [out for out in known if any(f"{path}/".startswith(f"{out.path}/") for path in paths)]
    sub = {
        out.path: tuple(path[len(out.path) + 1 :] for path in paths if path.startswith(f"{out.path}/"))
        for out in chosen
        if out.path not in paths
    }
    plan = plan_checkout(site, chosen, sub=sub, relink=True, progress=progress)
    if plan.placings and not (plan.removals or plan.replaced or plan.missing or plan.blocked):
        Placement(site, plan, lambda: [out.path for out in known], progress).run({}, {})
