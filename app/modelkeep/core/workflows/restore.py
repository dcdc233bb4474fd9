"""Bring a version back: the whole project (in a new branch or detached), single outputs, or a copy.

Planned first: what is fetched, created, replaced, deleted, and which unsaved files stand in the way. Data
that would be overwritten is saved into the cache and can be got back; without the user's word it is
refused. Objects are fetched and verified before the first file of the workspace is touched.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path

from modelkeep.core.engine.replaced import Replaced
from modelkeep.core.engine.workspace_checkout import CheckoutPlan
from modelkeep.core.errors import MissingObjects, NotFound, UnsavedChanges, UsageError
from modelkeep.core.nouns import dataclass, field, replace
from modelkeep.core.paths import Tree
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Change, Changes, Output, Version, VersionKind
from modelkeep.core.workflows import data, interrupted, review


class How(enum.Enum):
    """Where a version is brought back to."""

    BRANCH = "new branch"
    DETACH = "detached"
    WORKSPACE = "workspace"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore will do. Paths are relative to the project (or to the folder of an export).

    `unsaved` and `git_changes` stand in the way: the first can be saved and replaced with `force`, the
    second must be committed or discarded with git. `missing` are outputs whose data is nowhere.
    """

    version: Version
    how: How
    outputs: tuple[Output, ...] = ()
    fetch_files: int = 0
    fetch_bytes: int = 0
    create: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    unsaved: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    git_changes: tuple[str, ...] = ()
    branch: str | None = None
    folder: str | None = None
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def is_blocked(self) -> bool:
        """Whether it cannot run even with `force`."""
        return bool(self.missing or self.git_changes)


def plan_restore(
    project: Project,
    version: Version,
    *,
    outputs: Sequence[str] = (),
    how: How,
    branch: str | None = None,
    folder: str | None = None,
    progress: Progress = SILENT,
) -> RestorePlan:
    """Decide what restoring `version` means; changes nothing. Asks a remote only if data is not here."""
    if version.kind is VersionKind.WORKSPACE and how is not How.FOLDER:
        raise UsageError("The workspace is already here; choose a tag, branch or commit.")
    if how in (How.BRANCH, How.DETACH) and outputs:
        raise UsageError("Single outputs are restored into the workspace or into a folder, not as a branch.")
    if how is How.FOLDER and not folder:
        raise UsageError("Name the folder to restore into.")
    snapshot = review.snapshot(project, version, progress)
    chosen = data.select(snapshot.outputs, outputs)
    begun = _begun(project, version, how, branch)
    if how is How.BRANCH:
        branch = begun.branch if begun else branch or free_branch_name(project, version)
        if begun is None:
            _check_branch(project, branch)
    progress = progress.child("Looking at what is here")
    _bring_manifests(project, chosen.outputs, progress)
    files, size, missing = _to_fetch(project, chosen, progress)
    left = interrupted.left_out(chosen.outputs, missing) if not outputs else ()
    chosen, missing = _without(chosen, left), tuple(one for one in missing if not _is_in(one, left))
    checkout = _plan_checkout(project, version, how, chosen, folder, progress, left)
    return RestorePlan(
        version=version,
        how=how,
        outputs=chosen.outputs,
        fetch_files=files,
        fetch_bytes=size,
        create=checkout.create,
        replace=checkout.replace,
        delete=checkout.delete,
        unsaved=checkout.unsaved,
        missing=missing,
        git_changes=() if begun else _git_in_the_way(project, version, how, chosen.outputs),
        branch=branch,
        folder=folder,
        files=dict(chosen.files),
        notes=(
            *(f"{path} is left out: its data is not kept on the remotes of this project." for path in left),
            *(f"{one.file} cannot be read at {version.name}: {one.reason}" for one in snapshot.problems),
        ),
    )


def _begun(project: Project, version: Version, how: How, branch: str | None) -> interrupted.Switch | None:
    """The interrupted restore that this one means to finish."""
    switch = interrupted.found(project) if how in (How.BRANCH, How.DETACH) else None
    if switch is None or switch.commit != version.commit or bool(switch.branch) != (how is How.BRANCH):
        return None
    return switch if how is How.DETACH or branch in (None, switch.branch) else None


def _without(chosen: data.Selection, left: Sequence[str]) -> data.Selection:
    return data.Selection(tuple(out for out in chosen.outputs if out.path not in left), chosen.files)


def _is_in(path: str, folders: Sequence[str]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in folders)


def free_branch_name(project: Project, version: Version) -> str:
    """A branch name for a restored version that is not taken: `from-v1.0`, `from-v1.0-2`, …"""
    base = "from-" + version.name.replace("@", "-").replace("#", "-").strip("-./")
    taken = {one.name for one in project.git().versions().branches}
    name, count = base, 1
    while name in taken:
        count += 1
        name = f"{base}-{count}"
    return name


def _check_branch(project: Project, branch: str) -> None:
    if any(one.name == branch for one in project.git().versions().branches):
        raise UsageError(f"The branch {branch} exists already.", hint="Choose another name with --branch.")


def _bring_manifests(project: Project, outputs: Sequence[Output], progress: Progress) -> None:
    """Fetch the lists of files of folders, so that the plan can name every file; they are small."""
    for out in outputs:
        name = out.remote or project.config.default_remote
        if out.oid is None or not out.oid.is_dir or name is None or project.cache.present([out.oid]):
            continue
        progress.check()
        try:
            with project.using_remote(name) as store:
                project.cache.put(store.read(out.oid), is_dir=True)
        except NotFound:
            continue


def _to_fetch(
    project: Project, chosen: data.Selection, progress: Progress
) -> tuple[int, int, tuple[str, ...]]:
    lacking = data.absent(project, chosen.outputs, files=chosen.files)
    if not lacking:
        return 0, 0, ()
    if not project.config.default_remote and any(out.remote is None for out in lacking):
        return 0, 0, tuple(out.path for out in lacking)
    plans = data.plan_fetch(project, lacking, files=chosen.files, progress=progress).values()
    missing = tuple(dict.fromkeys(one.label for plan in plans for one in plan.missing))
    return sum(len(plan.copy) for plan in plans), sum(plan.bytes for plan in plans), missing


def _plan_checkout(
    project: Project,
    version: Version,
    how: How,
    chosen: data.Selection,
    folder: str | None,
    progress: Progress,
    left: Sequence[str] = (),
) -> CheckoutPlan:
    target = Tree(Path(folder).absolute()) if how is How.FOLDER and folder else None
    gone: list[Output] = []
    if how in (How.BRANCH, How.DETACH):
        kept = {out.path for out in chosen.outputs}.union(left)
        switched = set(project.git().differing(project.git().head()[1], version.commit))
        snapshot = review.snapshot(project, version)
        gone = [
            out
            for out in project.workspace.outputs().outputs
            if out.path not in kept and out.cached and switched & {out.metafile, _lock_of(out.metafile)}
            if not interrupted.is_unread(snapshot, out)
        ]
    return project.workspace.plan_checkout(
        chosen.outputs,
        sub=dict(chosen.files),
        gone=gone,
        target=target,
        expect_fetched=True,
        progress=progress,
    )


def _lock_of(metafile: str) -> str:
    return f"{metafile.removesuffix('.yaml')}.lock"


def _git_in_the_way(
    project: Project, version: Version, how: How, outputs: Sequence[Output]
) -> tuple[str, ...]:
    """Files with uncommitted changes that bringing the version back would overwrite."""
    if how is How.FOLDER:
        return ()
    dirty = set(project.git().changes(untracked=how is not How.WORKSPACE))
    if not dirty:
        return ()
    if how is How.WORKSPACE:
        return ()  # their metafiles are kept in the record of what was replaced
    _, head = project.git().head()
    return tuple(sorted(dirty & set(project.git().differing(head, version.commit))))


# -- running -------------------------------------------------------------------------------------------


def restore(
    project: Project, plan: RestorePlan, *, force: bool = False, progress: Progress = SILENT
) -> Changes:
    """Run a plan. Refuses unsaved data unless `force`, which saves it into the cache first."""
    project.require_trust("restore") if plan.how is not How.FOLDER else None
    _refuse(plan, force)
    chosen = data.Selection(plan.outputs, plan.files)
    fetched = data.fetch_outputs(project, chosen, progress=progress)
    if plan.how in (How.BRANCH, How.DETACH):
        done = _whole_project(project, plan, chosen, force, progress)
    elif plan.how is How.WORKSPACE:
        done = _into_workspace(project, plan, chosen, force, progress)
    else:
        done = _run_checkout(project, plan, chosen, force, progress)
    return replace(
        done,
        notes=(*done.notes, *plan.notes),
        summary=_summary(plan),
        files=fetched.files,
        bytes=fetched.bytes,
        same_as=_same_as(plan),
    )


def _refuse(plan: RestorePlan, force: bool) -> None:
    if plan.missing:
        raise MissingObjects(
            f"Data of {plan.version.name} is neither here nor on the remote: {', '.join(plan.missing[:5])}",
            paths=plan.missing,
            hint="Ask whoever made this version to push its data.",
        )
    if plan.git_changes:
        raise UnsavedChanges(
            f"{len(plan.git_changes)} files have changes that are not committed: "
            f"{', '.join(plan.git_changes[:5])}",
            paths=plan.git_changes,
            hint="Commit or discard them with git first.",
        )
    if plan.unsaved and not force:
        raise UnsavedChanges(
            f"{len(plan.unsaved)} files hold data that is saved nowhere else: {', '.join(plan.unsaved[:5])}",
            paths=plan.unsaved,
            hint="Save them (modelkeep add), or use --force: they are then kept in the cache first.",
        )


def _whole_project(
    project: Project, plan: RestorePlan, chosen: data.Selection, force: bool, progress: Progress
) -> Changes:
    checkout = _plan_checkout(
        project, plan.version, plan.how, chosen, None, progress, _left_behind(project, plan, chosen)
    )
    if checkout.unsaved and not force:
        _refuse(replace(plan, unsaved=checkout.unsaved), force)
    base = project.git().head()[1]
    begun = _begun(project, plan.version, plan.how, plan.branch)
    switch = begun or interrupted.Switch(plan.version.name, plan.version.commit, plan.branch or "", base)
    done = interrupted.begin(project, switch, force=force, progress=progress)
    return replace(done, what=Change.EVERYTHING & ~Change.REMOTE)


def _left_behind(project: Project, plan: RestorePlan, chosen: data.Selection) -> tuple[str, ...]:
    """Outputs of the version that the plan goes on without."""
    kept = {out.path for out in chosen.outputs}
    return tuple(out.path for out in review.snapshot(project, plan.version).outputs if out.path not in kept)


def _into_workspace(
    project: Project, plan: RestorePlan, chosen: data.Selection, force: bool, progress: Progress
) -> Changes:
    checkout = _plan_checkout(project, plan.version, plan.how, chosen, None, progress)
    texts = {} if plan.files else _metafiles(project, plan)
    done = project.workspace.run_checkout(checkout, force=force, metafiles=texts, progress=progress)
    return replace(done, what=done.what | Change.METAFILES)


def _metafiles(project: Project, plan: RestorePlan) -> dict[str, bytes]:
    """The `.dvc` texts as they were at the version. A stage's lock is left alone: it belongs to the code."""
    texts = {}
    for out in plan.outputs:
        if out.stage is None:
            text = project.catalogue.blob(plan.version, out.metafile)
            if text is None:
                raise NotFound(f"{out.metafile} is not in Git at {plan.version.name}.")
            texts[out.metafile] = text
    return texts


def _run_checkout(
    project: Project, plan: RestorePlan, chosen: data.Selection, force: bool, progress: Progress
) -> Changes:
    checkout = _plan_checkout(project, plan.version, plan.how, chosen, plan.folder, progress)
    return project.workspace.run_checkout(checkout, force=force, progress=progress)


def _summary(plan: RestorePlan) -> str:
    name = plan.version.name
    if plan.how is How.BRANCH:
        return f"{name} is restored in the new branch {plan.branch}."
    if plan.how is How.DETACH:
        return f"{name} is restored (no branch is checked out)."
    if plan.how is How.FOLDER:
        return f"{name} is copied to {plan.folder}."
    return f"{', '.join(out.path for out in plan.outputs)} is restored as it was at {name}."


def _same_as(plan: RestorePlan) -> tuple[str, ...]:
    ref = f"tags/{plan.version.name}" if plan.version.kind is VersionKind.TAG else plan.version.commit[:8]
    if plan.how is How.BRANCH:
        return f"git checkout {ref} -b {plan.branch}", "dvc pull"
    if plan.how is How.DETACH:
        return f"git checkout {ref}", "dvc pull"
    if plan.how is How.WORKSPACE:
        files = " ".join(out.metafile for out in plan.outputs)
        return f"git checkout {ref} -- {files}", f"dvc pull {files}"
    return (f"dvc get . --rev {plan.version.name} -o {plan.folder}",)


# -- what was replaced, and back again -----------------------------------------------------------------


def replaced(project: Project) -> tuple[Replaced, ...]:
    """Earlier replacements of unsaved data in this project, newest first."""
    return project.workspace.replaced()


def bring_back(project: Project, record: str, progress: Progress = SILENT) -> Changes:
    """Put back what the replacement `record` (its id) had overwritten."""
    project.require_trust("restore")
    return project.workspace.bring_back(record, progress=progress)


__all__ = [
    "How",
    "Replaced",
    "RestorePlan",
    "bring_back",
    "free_branch_name",
    "plan_restore",
    "replaced",
    "restore",
]
