"""A restore or checkout that was killed half-way: on record, told by status, and finished by the next checkout.

A restore of the whole project switches Git and then brings the data. The record stands from before the first to
after the last of it, so the workspace is never silently half of one version and half of another.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelkeep.core.durable import write_file
from modelkeep.core.engine.workspace_checkout import CheckoutPlan
from modelkeep.core.errors import Refused
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import visible
from modelkeep.core.patterns import pattern
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Changes, Output, Problem, Snapshot
from modelkeep.core.workflows.journal import FOLDER, Journal

_ID = pattern(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Switch:
    """From the commit `base` to the `commit` of a version, on `branch` ("" leaves all branches)."""

    version: str
    commit: str
    branch: str
    base: str

    @property
    def text(self) -> str:
        """What to tell the user, in one sentence."""
        where = f" into the branch {visible(self.branch)}" if self.branch else ""
        return f"Restoring {visible(self.version)}{where} was interrupted; modelkeep checkout finishes it."


def found(project: Project) -> Switch | None:
    """The interrupted restore of the whole project, or None. It is over once HEAD is at any other commit."""
    record = _journal(project).read() if project.history is not None else None
    if record is None:
        return None
    texts = {name: record.get(name) for name in Switch.__slots__}
    known = {name: text for name, text in texts.items() if isinstance(text, str)}
    if known.keys() != texts.keys() or not (_ID.fullmatch(known["commit"]) and _ID.fullmatch(known["base"])):
        return None
    if project.git().is_tracked(FOLDER):
        raise Refused("The record of an interrupted restore came with the repository.", paths=(FOLDER,))
    switch = Switch(**known)
    return switch if project.git().head()[1] in (switch.base, switch.commit) else None


def notices(project: Project) -> tuple[Problem, ...]:
    """What was interrupted in this project and waits to be finished, for the report of its status."""
    switch, half = found(project), project.workspace.unfinished_checkout()
    if switch is not None:
        return (Problem("restore", switch.text),)
    return () if half is None else (Problem("checkout", half.text),)


def refuse(project: Project) -> None:
    """Raise Refused while a restore is half done: the data of one version would be recorded into another."""
    switch = found(project)
    if switch is not None:
        raise Refused(switch.text, hint="Finish it first: modelkeep checkout")


# -- carrying out --------------------------------------------------------------------------------------


def begin(project: Project, switch: Switch, *, force: bool, progress: Progress = SILENT) -> Changes:
    """Put the restore on record and carry it out. Its data must be in the cache, its refusals dealt with."""
    _journal(project).write({name: getattr(switch, name) for name in Switch.__slots__})
    return finish(project, switch, force=force, progress=progress)


def finish(project: Project, switch: Switch, *, force: bool, progress: Progress = SILENT) -> Changes:
    """Do what is left of a restore: Git's switch, then the data. May be interrupted and called again."""
    branch, head = project.git().head()
    if head != switch.commit or (branch or "") != switch.branch:
        _make_branch(project, switch)
        _take_back_half(project, switch)
        project.git().switch(f"refs/heads/{switch.branch}" if switch.branch else switch.commit, progress)
        project.reload()
    plan = _plan(project, switch, progress)
    done = project.workspace.run_checkout(plan, force=force, progress=progress)
    _journal(project).clear()
    return done


def _journal(project: Project) -> Journal:
    return Journal(project.root, "restore")


def _make_branch(project: Project, switch: Switch) -> None:
    if not switch.branch:
        return
    known = {one.name: one.commit for one in project.git().versions().branches}
    if switch.branch not in known:
        project.git().branch_create(switch.branch, switch.commit)
    elif known[switch.branch] != switch.commit:
        raise Refused(
            f"The branch {visible(switch.branch)} has moved since it was made for {visible(switch.version)}.",
            hint="Switch to it with git, then: modelkeep checkout",
        )


def _take_back_half(project: Project, switch: Switch) -> None:
    """Give files that a killed Git had written already their old text again: else Git sees work to be lost."""
    history = project.git()
    for path in set(history.changes()) & set(history.differing(switch.base, switch.commit)):
        if path.startswith("../"):
            continue
        old, new = history.blob(switch.base, path), history.blob(switch.commit, path)
        try:
            now = project.tree.path(path).read_bytes()
        except FileNotFoundError:
            now = None
        if now != new or now == old:
            continue
        if old is None:
            project.tree.unlink(path)
        else:
            write_file(project.tree, path, old)


def _plan(project: Project, switch: Switch, progress: Progress) -> CheckoutPlan:
    resolve, snapshot = project.git().resolve, project.catalogue.snapshot
    now = snapshot(resolve(switch.commit))
    outputs = [out for out in now.outputs if out.cached and out.oid is not None]
    kept = {out.path for out in (*outputs, *project.workspace.outputs().outputs)}
    before = snapshot(resolve(switch.base)).outputs
    gone = [out for out in before if out.path not in kept and out.cached and not is_unread(now, out)]
    plan = project.workspace.plan_checkout(outputs, gone=gone, progress=progress)
    left = left_out(outputs, plan.missing)
    if left:
        outputs = [out for out in outputs if out.path not in left]
        plan = project.workspace.plan_checkout(outputs, gone=gone, progress=progress)
    return plan


def is_unread(snapshot: Snapshot, out: Output) -> bool:
    """Whether the metafile of an output cannot be read in `snapshot`: then nobody knows that it is gone."""
    return any(one.file == visible(out.metafile) for one in snapshot.problems)


def left_out(outputs: Sequence[Output], missing: Sequence[str]) -> tuple[str, ...]:
    """Which outputs lack `missing` paths by design: imported from elsewhere, or never pushed. A restore goes
    on without them."""
    return tuple(
        out.path
        for out in outputs
        if (out.imported or not out.push)
        and any(path == out.path or path.startswith(f"{out.path}/") for path in missing)
    )
