"""Add, push, fetch, pull, checkout: the daily moves of data between workspace, cache and remotes.

Each remote is asked and filled on its own, because an output may name a remote of its own. Objects are
proven, not assumed. Knows nothing of Git references; `publish` and `restore` build on these recipes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from modelkeep.core.engine.transfer import (
    TransferPlan,
    TransferResult,
    Wanted,
    plan_transfer,
    prove,
    run_transfer,
)
from modelkeep.core.errors import (
    InvalidFile,
    ModelkeepError,
    NoRemote,
    NotFound,
    Refused,
)
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Change, Changes, ObjectId, Output, Snapshot, Version, VersionKind
from modelkeep.core.workflows import interrupted
from modelkeep.core.workflows.outcome import problems_of, raise_first


@dataclass(frozen=True, slots=True)
class Selection:
    """Outputs chosen by the user; `files` limits folder outputs to these files (relative to the output)."""

    outputs: tuple[Output, ...]
    files: Mapping[str, tuple[str, ...]]


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


# -- choosing ------------------------------------------------------------------------------------------


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


def by_remote(
    project: Project, outputs: Iterable[Output], remote: str | None
) -> dict[str, tuple[Output, ...]]:
    """Group outputs by the remote they belong on. With `remote` named, outputs that name another are left
    out, as DVC does. Raises NoRemote if an output has nowhere to go."""
    groups: dict[str, list[Output]] = {}
    for out in outputs:
        name = out.remote or remote or project.config.default_remote
        if remote is not None and out.remote not in (None, remote):
            continue
        if name is None:
            raise NoRemote(
                "No remote is set up, so there is nowhere to send data to or fetch it from.",
                hint="Add one: modelkeep remote add -d NAME URL",
            )
        groups.setdefault(name, []).append(out)
    return {name: tuple(outs) for name, outs in groups.items()}


def wanted(outputs: Iterable[Output]) -> list[Wanted]:
    """The objects that outputs name, manifests unexpanded."""
    return [Wanted(out.oid, out.path) for out in outputs if out.oid is not None]


def _scope(
    project: Project, targets: Sequence[str], versions: Sequence[Version]
) -> tuple[tuple[Output, ...], list[ModelkeepError]]:
    """Outputs of the workspace (with what could not be read), or of `versions`, each distinct object once per path."""
    if not versions:
        chosen, unread = choose(project.workspace.outputs(), targets)
        return chosen.outputs, unread
    found: dict[tuple[str, ObjectId | None], Output] = {}
    for version in versions:
        if version.kind is VersionKind.WORKSPACE:
            snapshot = project.workspace.outputs()
        else:
            snapshot = project.catalogue.snapshot(version)
        if snapshot.problems:
            problem = snapshot.problems[0]
            raise Refused(f"{version.name}: {problem.file}: {problem.reason}")
        for out in select(snapshot.outputs, targets).outputs:
            found.setdefault((out.path, out.oid), out)
    return tuple(found.values()), []


# -- push ----------------------------------------------------------------------------------------------


def plan_push(
    project: Project,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    versions: Sequence[Version] = (),
    progress: Progress = SILENT,
) -> dict[str, TransferPlan]:
    """What each remote lacks, having really asked it. Keys are remote names."""
    outputs = [out for out in _scope(project, targets, versions)[0] if is_pushed(out)]
    plans = {}
    for name, outs in by_remote(project, outputs, remote).items():
        with project.using_remote(name) as store:
            plans[name] = plan_transfer(project.cache, store, wanted(outs), progress.child(f"Asking {name}"))
    return plans


def push(
    project: Project,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    versions: Sequence[Version] = (),
    progress: Progress = SILENT,
) -> Changes:
    """Send what the remotes lack. Raises, after sending the rest, MissingObjects if something that a version
    names is in neither place, and InvalidFile if a metafile cannot be read."""
    chosen, problems = _scope(project, targets, versions)
    groups = by_remote(project, [out for out in chosen if is_pushed(out)], remote)
    done = Changes(same_as=("dvc push " + " ".join(targets),))
    for name, outs in groups.items():
        with project.using_remote(name) as store:
            plan = plan_transfer(project.cache, store, wanted(outs), progress.child(f"Asking {name}"))
            phase = progress.child(f"Sending to {name}", plan.bytes, files=len(plan.copy))
            result = run_transfer(plan, project.cache, store, phase)
        project.forget_listing(name)
        problems += problems_of(plan, result, f"sent to {name}")
        done = _sum(done, result, Change.REMOTE)
    raise_first(problems)
    where = ", ".join(groups) or "the remote"
    text = f"Sent {done.files} objects to {where}." if done.files else f"Everything is on {where} already."
    return replace(done, summary=text)


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


def absent(
    project: Project, outputs: Iterable[Output], *, files: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[Output, ...]:
    """The outputs that lack at least one object in the cache (only `files` of a folder, if given)."""
    lacking = []
    for out in outputs:
        if out.oid is None or not out.cached:
            continue
        try:
            oids = [out.oid]
            if out.oid.is_dir:
                manifest = project.cache.manifest(out.oid)
                chosen = set((files or {}).get(out.path, ()))
                legacy = out.oid.legacy
                oids += [
                    ObjectId(entry.hash, legacy=legacy)
                    for entry in manifest.entries
                    if not chosen or _within(entry.path, chosen)
                ]
        except (NotFound, Refused):
            lacking.append(out)
            continue
        if len(project.cache.present(set(oids))) < len(set(oids)):
            lacking.append(out)
    return tuple(lacking)


def _within(path: str, chosen: set[str]) -> bool:
    return path in chosen or any(path.startswith(f"{folder}/") for folder in chosen)


def fetch(
    project: Project,
    targets: Sequence[str] = (),
    *,
    remote: str | None = None,
    versions: Sequence[Version] = (),
    progress: Progress = SILENT,
) -> Changes:
    """Bring what is missing from the remotes into the cache; every object is verified before it counts."""
    if versions:
        chosen, unread = Selection(_scope(project, targets, versions)[0], {}), list[ModelkeepError]()
    else:
        chosen, unread = choose(project.workspace.outputs(), targets)
    done = fetch_outputs(project, chosen, remote=remote, progress=progress)
    raise_first(unread)
    return done


def fetch_outputs(
    project: Project, chosen: Selection, *, remote: str | None = None, progress: Progress = SILENT
) -> Changes:
    """`fetch` for outputs already chosen, of any version."""
    done, problems = _fetch(project, chosen, remote, progress)
    raise_first(problems)
    return done


def _fetch(
    project: Project, chosen: Selection, remote: str | None, progress: Progress
) -> tuple[Changes, list[ModelkeepError]]:
    done = Changes(same_as=("dvc fetch",))
    problems: list[ModelkeepError] = []
    for name, outs in by_remote(project, absent(project, chosen.outputs, files=chosen.files), remote).items():
        with project.using_remote(name) as store:
            plan = plan_transfer(
                store, project.cache, wanted(outs), progress.child(f"Asking {name}"), only=chosen.files
            )
            phase = progress.child(f"Fetching from {name}", plan.bytes, files=len(plan.copy))
            project.cache.sweep()  # what a killed fetch left long enough ago to be nobody's
            result = run_transfer(plan, store, project.cache, phase)
        problems += problems_of(plan, result, f"fetched from {name}", outs)
        done = _sum(done, result, Change.CACHE)
    text = f"Fetched {done.files} objects." if done.files else "Everything is here already."
    return replace(done, summary=text), problems


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
    plan = project.workspace.plan_checkout(
        chosen.outputs, sub=dict(chosen.files), relink=relink, progress=progress
    )
    return project.workspace.run_checkout(plan, force=force, progress=progress)


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
    fetched, problems = _fetch(project, chosen, remote, progress)
    if problems:
        lacking = absent(project, chosen.outputs, files=chosen.files)
        chosen = Selection(tuple(out for out in chosen.outputs if out not in lacking), chosen.files)
    done = _checkout(project, chosen, force, progress)
    raise_first([*problems, *unread])
    return replace(
        done,
        what=done.what | fetched.what,
        summary=f"{fetched.summary} {done.summary}".strip(),
        files=fetched.files,
        bytes=fetched.bytes,
        same_as=(f"dvc pull {' '.join(targets)}".strip(),),
    )


# -- results -------------------------------------------------------------------------------------------


def _sum(done: Changes, result: TransferResult, what: Change) -> Changes:
    return replace(
        done, what=done.what | what, files=done.files + result.copied, bytes=done.bytes + result.bytes
    )
