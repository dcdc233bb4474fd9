"""Add, push, fetch, pull, checkout: the daily moves of data between workspace, cache and remotes.

Each remote is asked and filled on its own, because an output may name a remote of its own. Objects are
proven, not assumed. Knows nothing of Git references; `publish` and `restore` build on these recipes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from modelkeep.core.engine.transfer import (
    TransferPlan,
    TransferResult,
    Wanted,
    plan_transfer,
    prove,
    run_transfer,
)
from modelkeep.core.errors import CorruptObject, ModelkeepError, Unsupported
from modelkeep.core.nouns import replace
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import WORKSPACE, Change, Changes, Output, Version
from modelkeep.core.workflows import interrupted
from modelkeep.core.workflows.outcome import problems_of, raise_first
from modelkeep.core.workflows.scope import (
    Part,
    Scope,
    Selection,
    absent,
    by_remote,
    choose,
    find_scope,
    is_pushed,
    parts_of,
    select,
)

__all__ = [
    "Selection",
    "absent",
    "add",
    "checkout",
    "fetch",
    "fetch_outputs",
    "is_pushed",
    "not_proven",
    "plan_fetch",
    "pull",
    "push",
    "select",
]


def add(
    project: Project,
    targets: Sequence[str],
    *,
    file: str | None = None,
    glob: bool = False,
    progress: Progress = SILENT,
) -> Changes:
    """Start tracking `targets` (project-relative paths) or record their current content as it is now."""
    project.require_trust("add")
    interrupted.refuse(project)
    done = project.workspace.add(list(targets), file=file, glob=glob, progress=progress)
    return replace(done, same_as=(f"dvc add {' '.join(targets)}",))


# -- push ----------------------------------------------------------------------------------------------


def push(
    project: Project,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    versions: Sequence[Version] = (),
    each_config: bool = False,
    progress: Progress = SILENT,
) -> Changes:
    """Send what the remotes lack: of the workspace, or of `versions`; with `each_config` to the remotes that each
    version's own config names (see `find_scope`). A folder's list goes only where all its files are.

    Raises, after sending the rest, MissingObjects (naming file, version and who recorded it) if something is in
    neither place, InvalidFile if a metafile cannot be read, Unsupported for cloud-versioned outputs.
    """
    problems: list[ModelkeepError] = []

    def narrow(chosen: Selection) -> list[Output]:
        in_cloud = [out for out in chosen.outputs if out.cloud]
        if in_cloud and not problems:
            problems.append(_not_pushed(in_cloud))
        return [out for out in chosen.outputs if is_pushed(out)]

    scope = find_scope(
        project, targets, versions, remote=remote, each_config=each_config, narrow=narrow, progress=progress
    )
    done = Changes(notes=tuple(scope.notes), same_as=("dvc push " + " ".join(targets),))
    problems += scope.problems
    for part in scope.parts:
        try:
            result = _send(project, part, scope, progress, problems)
        except ModelkeepError as error:
            if len(scope.parts) == 1:
                raise
            problems.append(error)  # one remote that cannot be reached does not hold up the others
            continue
        done = _sum(done, result, Change.REMOTE)
        done = replace(done, notes=(*done.notes, *(_partly_sent(one) for one in result.withheld)))
    raise_first(problems)
    where = ", ".join(dict.fromkeys(part.remote for part in scope.parts)) or "the remote"
    text = f"Sent {_objects(done.files)} to {where}." if done.files else f"Everything is on {where} already."
    return replace(done, summary=text)


def _not_pushed(in_cloud: Sequence[Output]) -> Unsupported:
    paths = [out.path for out in in_cloud]
    return Unsupported(
        f"{paths[0]} is kept in a cloud-versioned remote, which Modelkeep only reads.",
        hint=f"Use dvc push {' '.join(paths[:5])}; everything else was done.",
        paths=paths,
    )


def _send(
    project: Project, part: Part, scope: Scope, progress: Progress, problems: list[ModelkeepError]
) -> TransferResult:
    name = part.remote
    with project.using_remote(name, part.config) as store:
        asking = progress.child(f"Asking {name}")
        plan = plan_transfer(project.cache, store, wanted(part.outputs), asking, only=scope.files)
        phase = progress.child(f"Sending to {name}", plan.bytes, files=len(plan.copy))
        result = run_transfer(plan, project.cache, store, phase)
    project.forget_listing(name)
    problems += problems_of(project, plan, result, f"sent to {name}", part.found)
    return result


def _partly_sent(folder: Wanted) -> str:
    return f"{folder.label}: its list of files goes to the remote together with the last of them."


def wanted(outputs: Iterable[Output]) -> list[Wanted]:
    """The objects that outputs name, manifests unexpanded."""
    return [Wanted(out.oid, out.path) for out in outputs if out.oid is not None]


def not_proven(
    project: Project, outputs: Iterable[Output], *, remote: str | None = None, progress: Progress = SILENT
) -> tuple[str, ...]:
    """Paths of outputs whose objects the remotes, asked now, do not prove to have."""
    missing: list[str] = []
    for name, outs in by_remote(project, outputs, remote).items():
        with project.using_remote(name) as store:
            phase = progress.child(f"Verifying on {name}")
            unproven = prove(store, wanted(outs), phase, source=project.cache)
            missing += [one.label for one in unproven]
    return tuple(dict.fromkeys(missing))


# -- fetch, checkout, pull -----------------------------------------------------------------------------


def plan_fetch(
    project: Project,
    outputs: Iterable[Output],
    *,
    remote: str | None = None,
    files: Mapping[str, tuple[str, ...]] | None = None,
    progress: Progress = SILENT,
) -> dict[str, TransferPlan]:
    """What the cache lacks of `outputs` and each remote has. Connects only if something is missing here."""
    needed = absent(project, outputs, files=files)
    plans = {}
    for name, outs in by_remote(project, needed, remote).items():
        with project.using_remote(name) as store:
            plans[name] = plan_transfer(
                store,
                project.cache,
                wanted(outs),
                progress.child(f"Asking {name}"),
                only=files,
            )
    return plans


def fetch(
    project: Project,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    versions: Sequence[Version] = (),
    each_config: bool = False,
    progress: Progress = SILENT,
) -> Changes:
    """Bring what is missing from the remotes into the cache; every object is verified before it counts.

    `versions` and `each_config` are those of `push`, and so are the errors that come after the rest.
    """
    problems: list[ModelkeepError] = []
    scope = find_scope(
        project,
        targets,
        versions,
        remote=remote,
        each_config=each_config,
        narrow=lambda chosen: _lacking(project, chosen, problems),
        progress=progress,
    )
    done = _fetch(project, scope.parts, scope.files, progress, problems)
    if problems:
        done = _from_todays(project, scope, remote, progress, done, problems)
    raise_first([*problems, *scope.problems])
    return replace(done, notes=(*done.notes, *scope.notes))


def _from_todays(
    project: Project,
    scope: Scope,
    remote: str | None,
    progress: Progress,
    done: Changes,
    problems: list[ModelkeepError],
) -> Changes:
    """What the remote of an older version did not give, today's may have: storage moves. Forgets the problems
    if nothing lacks any more."""
    older = tuple(out for part in scope.parts if part.config is not project.config for out in part.outputs)
    left = _lacking(project, Selection(older, scope.files), [])
    if not left or project.config.default_remote is None:
        return done
    again: list[ModelkeepError] = []
    more = _fetch(project, parts_of(project, left, remote), scope.files, progress, again)
    if not absent(project, [out for part in scope.parts for out in part.outputs], files=scope.files):
        problems.clear()
    files = done.files + more.files
    text = f"Fetched {_objects(files)}." if files else done.summary
    return replace(done, what=done.what | more.what, summary=text, files=files, bytes=done.bytes + more.bytes)


def fetch_outputs(
    project: Project, chosen: Selection, *, remote: str | None = None, progress: Progress = SILENT
) -> Changes:
    """`fetch` for outputs already chosen, of any version."""
    problems: list[ModelkeepError] = []
    parts = parts_of(project, _lacking(project, chosen, problems), remote)
    done = _fetch(project, parts, chosen.files, progress, problems)
    raise_first(problems)
    return done


def _lacking(project: Project, chosen: Selection, problems: list[ModelkeepError]) -> list[Output]:
    """The outputs that lack something here, without those that only a cloud has, which are `problems`."""
    lacking = absent(project, chosen.outputs, files=chosen.files)
    problems += [_only_in_cloud(out) for out in lacking if out.cloud]
    return [out for out in lacking if not out.cloud]


def _fetch(
    project: Project,
    parts: Sequence[Part],
    files: Mapping[str, tuple[str, ...]],
    progress: Progress,
    problems: list[ModelkeepError],
) -> Changes:
    done = Changes(same_as=("dvc fetch",))
    project.cache.sweep()  # what a killed fetch left long enough ago to be nobody's
    for part in parts:
        try:
            result = _bring(project, part, files, progress, problems)
        except ModelkeepError as error:
            if len(parts) == 1:
                raise
            problems.append(error)
            continue
        done = _sum(done, result, Change.CACHE)
    text = f"Fetched {_objects(done.files)}." if done.files else "Everything is here already."
    return replace(done, summary=text)


def _bring(
    project: Project,
    part: Part,
    files: Mapping[str, tuple[str, ...]],
    progress: Progress,
    problems: list[ModelkeepError],
) -> TransferResult:
    name = part.remote
    with project.using_remote(name, part.config) as store:
        asking = progress.child(f"Asking {name}")
        plan = plan_transfer(store, project.cache, wanted(part.outputs), asking, only=files)
        phase = progress.child(f"Fetching from {name}", plan.bytes, files=len(plan.copy))
        result = run_transfer(plan, store, project.cache, phase)
    problems += problems_of(project, plan, result, f"fetched from {name}", part.found)
    return result


def _only_in_cloud(out: Output) -> Unsupported:
    return Unsupported(
        f"{out.path} is kept in a cloud-versioned remote, and not all of it is here.",
        hint=f"Fetch it by dvc pull {out.path}; everything else was done.",
        paths=(out.path,),
    )


def checkout(
    project: Project,
    targets: Sequence[str] = (),
    *,
    force: bool = False,
    relink: bool = False,
    progress: Progress = SILENT,
) -> Changes:
    """Make the workspace match its metafiles; finishes a restore that was interrupted. Refuses to touch
    unsaved data unless `force`, which saves it into the cache first. With `relink` also unchanged files become
    the kind of link that the user's `cache.type` asks for."""
    project.require_trust("checkout")
    begun = None if targets else interrupted.found(project)
    if begun is not None:
        interrupted.finish(project, begun, force=force, progress=progress)
    chosen, unread = choose(project.workspace.outputs(), targets)
    done = _checkout(project, chosen, force, progress, relink=relink)
    raise_first(unread)
    return replace(done, same_as=(f"dvc checkout {' '.join(targets)}".strip(),))


def _checkout(
    project: Project, chosen: Selection, force: bool, progress: Progress, *, relink: bool = False
) -> Changes:
    return project.workspace.checkout(
        chosen.outputs, sub=dict(chosen.files), relink=relink, force=force, progress=progress
    )


def pull(
    project: Project,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    force: bool = False,
    progress: Progress = SILENT,
) -> Changes:
    """Fetch, then check out. If data would be refused at checkout, what was fetched stays in the cache.

    Outputs that could not be fetched whole are left as they are, and told by the error at the end.
    """
    project.require_trust("checkout")
    chosen, unread = choose(project.workspace.outputs(), targets)
    fetched, problems, whole = _fetch_whole(project, chosen, remote, progress)
    try:
        done = _checkout(project, whole, force, progress)
    except CorruptObject:  # it is out of the way now, and the remote may have a good one
        again, problems, whole = _fetch_whole(project, chosen, remote, progress)
        fetched = replace(again, files=fetched.files + again.files, bytes=fetched.bytes + again.bytes)
        done = _checkout(project, whole, force, progress)
    raise_first([*problems, *unread])
    return replace(
        done,
        what=done.what | fetched.what,
        summary=f"{fetched.summary} {done.summary}".strip(),
        files=fetched.files,
        bytes=fetched.bytes,
        same_as=(f"dvc pull {' '.join(targets)}".strip(),),
    )


def _fetch_whole(
    project: Project, chosen: Selection, remote: str | None, progress: Progress
) -> tuple[Changes, list[ModelkeepError], Selection]:
    """Fetch, and say which of the chosen outputs are whole now."""
    problems: list[ModelkeepError] = []
    parts = parts_of(project, _lacking(project, chosen, problems), remote, WORKSPACE)
    fetched = _fetch(project, parts, chosen.files, progress, problems)
    if problems:
        lacking = absent(project, chosen.outputs, files=chosen.files)
        chosen = Selection(tuple(out for out in chosen.outputs if out not in lacking), chosen.files)
    return fetched, problems, chosen


# -- results -------------------------------------------------------------------------------------------


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{count} objects"


def _sum(done: Changes, result: TransferResult, what: Change) -> Changes:
    return replace(
        done, what=done.what | what, files=done.files + result.copied, bytes=done.bytes + result.bytes
    )
