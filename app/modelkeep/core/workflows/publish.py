"""Publish a version: add, push the data, verify it on the remote, commit, tag, push Git — in this order.

The order is the promise: a pushed Git reference names only data that was proven to be on the remote. A
journal is written before each step, so that whatever interrupts it, `resume` finishes the rest and, until
Git is pushed, `undo` takes everything back. Knows nothing of screens; the engine does the work.
"""

from __future__ import annotations

import base64
from typing import Any

from modelkeep.core.durable import write_file
from modelkeep.core.errors import GitFailed, MissingObjects, ModelkeepError, NoRemote, Refused, UsageError
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import Tree
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Change, Changes, Output
from modelkeep.core.workflows import data, interrupted, publish_record
from modelkeep.core.workflows.journal import Journal
from modelkeep.core.workflows.publish_plan import (
    STEP_TEXT,
    STEPS,
    Obstacle,
    PublishPlan,
    Step,
    check_name,
    default_git_remote,
    plan_publish,
)

__all__ = [
    "Obstacle",
    "PublishPlan",
    "Step",
    "Unfinished",
    "check_name",
    "failed_step",
    "plan_publish",
    "publish",
    "resume",
    "undo",
    "unfinished",
]


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A publish that was interrupted: `step` is the one to do next, `can_undo` until Git was pushed."""

    version: str
    step: str
    text: str
    can_undo: bool


# -- running -------------------------------------------------------------------------------------------


def publish(project: Project, plan: PublishPlan, progress: Progress = SILENT) -> Changes:
    """Run a plan. Raises what stopped it; the journal then lets `resume` or `undo` go on."""
    blocking = [obstacle for obstacle in plan.obstacles if obstacle.blocks]
    if blocking:
        raise Refused(f"Version {plan.version} cannot be published: {blocking[0].text}", hint=blocking[0].fix)
    project.require_trust("publish")
    interrupted.refuse(project)
    branch, base = project.git().head()
    record: dict[str, Any] = {
        "version": plan.version,
        "message": plan.message,
        "branch": branch,
        "add": list(plan.add),
        "commit_paths": list(plan.commit_paths),
        "remote": plan.remote,
        "git_remote": plan.git_remote,
        "base": base,
        "before": _keep_texts(project, plan),
        "step": "add",
    }
    return _Run(project, record, progress).go()


def unfinished(project: Project) -> Unfinished | None:
    """The interrupted publish of this project, if there is one."""
    record = publish_record.read(project)
    if record is None:
        return None
    step = str(record.get("step"))
    version = str(record.get("version"))
    can_undo = not record.get("git_pushing")
    return Unfinished(
        version, step, f"Publishing {version} was interrupted. Next: {STEP_TEXT.get(step, step)}.", can_undo
    )


def resume(project: Project, progress: Progress = SILENT) -> Changes:
    """Finish an interrupted publish from the step it stopped at; finished work is not repeated."""
    record = publish_record.read(project)
    if record is None:
        raise UsageError("There is no interrupted publish to resume.")
    project.require_trust("publish")
    if record.get("remote") is None:
        record["remote"] = project.config.default_remote
    if record.get("git_remote") is None:
        record["git_remote"] = default_git_remote(project)
    branch, _ = project.git().head()
    if branch != record["branch"]:
        raise Refused(
            f"The publish of {record['version']} began on the branch {record['branch']}.",
            hint=f"Switch back to {record['branch']} to resume it, or undo it.",
        )
    return _Run(project, record, progress).go()


def undo(project: Project, progress: Progress = SILENT) -> Changes:
    """Take an interrupted publish back: tag, commit, metafiles. Data in the workspace is not touched, and
    objects already sent stay on the remote, where they harm nobody."""
    record = publish_record.read(project)
    if record is None:
        raise UsageError("There is no interrupted publish to undo.")
    history = project.git()
    if record.get("git_pushing"):
        pushed = history.remote_has(record["git_remote"], f"refs/tags/{record['version']}")
        if pushed is not None:
            raise Refused(
                f"Version {record['version']} has been pushed to Git; it can no longer be undone.",
                hint="Resume it; it only needs a moment.",
            )
    progress.check()
    if record.get("commit") and history.parent(record["commit"]) != record["base"]:
        raise Refused("The record of this publish does not fit the history; nothing was undone.")
    tag = record.get("tag") or (_own_tag(project, record) if record["step"] == "tag" else None)
    if tag:
        history.delete_tag(record["version"], expect=tag)
    commit = record.get("commit") or (_own_commit(project, record) if record["step"] == "commit" else None)
    if commit:
        history.reset_commit(record["branch"], commit, record["base"])
    _restore_texts(project, record)
    _journal(project).clear()
    return Changes(
        Change.EVERYTHING & ~Change.REMOTE,
        f"Publishing {record['version']} was undone; your data is untouched.",
        same_as=("modelkeep publish --undo",),
    )


def _journal(project: Project) -> Journal:
    return Journal(project.root, "publish")


def _own_commit(project: Project, record: dict[str, Any]) -> str | None:
    """Our commit where a kill came after it was made and before the record knew."""
    history = project.git()
    branch, head = history.head()
    if branch != record["branch"] or head in ("", record["base"]):
        return None
    ours = history.parent(head) == record["base"] and history.message(head) == record["message"]
    return head if ours else None


def _own_tag(project: Project, record: dict[str, Any]) -> str | None:
    """The tag that a kill kept from being put on record: no such tag was there when the publish began."""
    history, name = project.git(), record["version"]
    tag = history.tag_object(name)
    is_here = history.tag_target(name) == (record.get("commit") or record["base"])
    return tag if is_here else None


def _keep_texts(project: Project, plan: PublishPlan) -> dict[str, str | None]:
    """The metafiles and ignore files that adding will change, so that undo can put them back. Config files
    are never copied: they may hold a password."""
    metafiles = {out.path: out.metafile for out in project.workspace.outputs().outputs}
    paths = {metafiles.get(path, f"{path}.dvc") for path in plan.add}
    paths |= {f"{path.rpartition('/')[0]}/.gitignore".lstrip("/") for path in plan.add}
    tree = Tree(project.root)
    kept: dict[str, str | None] = {}
    for path in sorted(paths):
        try:
            kept[path] = base64.b64encode(tree.read(path)).decode()
        except FileNotFoundError:
            kept[path] = None
    return kept


def _restore_texts(project: Project, record: dict[str, Any]) -> None:
    tree = Tree(project.root)
    for path, text in record.get("before", {}).items():
        if text is None:
            tree.unlink(path)
        else:
            write_file(tree, path, base64.b64decode(text))


class _Run:
    """One run of the steps; the journal always names the step that is to be done next."""

    def __init__(self, project: Project, record: dict[str, Any], progress: Progress) -> None:
        self.project = project
        self.record = record
        self.progress = progress
        self.notes: list[str] = []
        self.sent = Changes()

    def go(self) -> Changes:
        journal = _journal(self.project)
        steps = {
            "add": self.add,
            "push": self.push,
            "verify": self.verify,
            "commit": self.commit,
            "tag": self.tag,
            "git-push": self.git_push,
        }
        start = STEPS.index(self.record["step"])
        if start > STEPS.index("push"):
            start = STEPS.index("push")  # what was proven before an interruption is proven again
        for name in STEPS[start:]:
            if STEPS.index(name) >= STEPS.index(self.record["step"]):
                self.record["step"] = name
            journal.write(self.record)
            self.progress.check()
            steps[name]()
        journal.clear()
        return self._result()

    def add(self) -> None:
        if self.record["add"]:
            done = self.project.workspace.add(self.record["add"], progress=self.progress)
            paths = [*self.record["commit_paths"], *done.paths]
            changed = set(self.project.git().changes())
            self.record["commit_paths"] = [path for path in dict.fromkeys(paths) if path in changed]
            self.notes += done.notes

    def push(self) -> None:
        if self.record["remote"] is None:
            raise NoRemote(
                f"Version {self.record['version']} is only on this machine: there is no remote.",
                detail="The data is saved here. Nothing was committed, tagged or pushed.",
                hint="Add one (modelkeep remote add -d NAME URL), then: modelkeep publish --resume",
            )
        self.sent = data.push(
            self.project, tuple(self._paths()), remote=self._chosen_remote(), progress=self.progress
        )

    def verify(self) -> None:
        missing = data.not_proven(
            self.project, self._outputs(), remote=self._chosen_remote(), progress=self.progress
        )
        if missing:
            raise MissingObjects(
                f"{len(missing)} objects are not proven on the remote; nothing was committed or tagged.",
                paths=missing,
                hint="Run modelkeep publish --resume to send them again.",
            )

    def commit(self) -> None:
        history = self.project.git()
        paths = list(self.record["commit_paths"])
        _, head = history.head()
        if not self.record.get("commit"):
            if head != self.record["base"]:  # a kill may have come between our commit and the journal
                self.record["commit"] = _own_commit(self.project, self.record)
            elif set(paths) & set(history.changes()):
                self.record["commit"] = head = history.commit(paths, self.record["message"], self.progress)
        if head != (self.record.get("commit") or self.record["base"]):
            raise Refused(
                "The branch has moved since this publish began.",
                hint="Undo it (modelkeep publish --undo) and publish again.",
            )
        self._prove_commit(head)

    def _prove_commit(self, head: str) -> None:
        """The commit must name exactly what was proven: no object comes in by another way, not even when a
        publish is resumed after the workspace has changed."""
        proven = {out.oid for out in self._outputs()}
        version = self.project.git().resolve(head)
        snapshot = self.project.catalogue.snapshot(version)
        strangers = [out for out in snapshot.outputs if data.is_pushed(out) and out.oid not in proven]
        if not strangers:
            return
        remote, paths = self._chosen_remote(), [out.path for out in strangers]
        data.push(self.project, paths, remote=remote, versions=(version,), progress=self.progress)
        missing = data.not_proven(self.project, strangers, remote=remote, progress=self.progress)
        if missing:
            raise MissingObjects(
                f"The commit names data that is not proven on the remote: {', '.join(paths)}.",
                paths=missing,
                hint="Run modelkeep publish --resume to send it again.",
            )

    def tag(self) -> None:
        history = self.project.git()
        _, head = history.head()
        if self.record.get("tag"):
            return
        if (made := _own_tag(self.project, self.record)) is not None:
            self.record["tag"] = made
            return
        if history.tag_exists(self.record["version"]):
            raise Refused(
                f"The version {self.record['version']} was created by someone else meanwhile.",
                hint="Undo this publish and choose another name.",
            )
        self.record["tag"] = history.tag(self.record["version"], self.record["message"], head)

    def git_push(self) -> None:
        git_remote = self.record["git_remote"]
        if git_remote is None:
            self.notes.append("There is no Git remote: colleagues cannot see the version yet.")
            return
        self.record["git_pushing"] = True
        _journal(self.project).write(self.record)
        branch, version = self.record["branch"], self.record["version"]
        try:
            self.project.git().push(
                git_remote,
                (f"refs/heads/{branch}:refs/heads/{branch}", f"refs/tags/{version}:refs/tags/{version}"),
                self.progress.child(STEP_TEXT["git-push"]),
            )
        except GitFailed:
            self.record["git_pushing"] = False  # --atomic: nothing arrived
            _journal(self.project).write(self.record)
            raise
        if self.project.git().upstream()[0] is None:
            self.project.git().set_upstream(branch, git_remote)  # so that ahead and behind can be told

    def _outputs(self) -> tuple[Output, ...]:
        return tuple(out for out in self.project.workspace.outputs().outputs if data.is_pushed(out))

    def _paths(self) -> list[str]:
        return [out.path for out in self._outputs()]

    def _chosen_remote(self) -> str | None:
        """The default remote is left unsaid, so that an output with a remote of its own keeps it."""
        chosen = self.record["remote"]
        return None if chosen == self.project.config.default_remote else chosen

    def _result(self) -> Changes:
        version = self.record["version"]
        where = self.record["git_remote"] or "this machine"
        return Changes(
            Change.EVERYTHING,
            f"Version {version} is published to {where}; its data is verified on {self.record['remote']}.",
            tuple(self.record["commit_paths"]),
            self.sent.files,
            self.sent.bytes,
            tuple(self.notes),
            tuple(self._same_as()),
        )

    def _same_as(self) -> list[str]:
        record = self.record
        lines = [f"dvc add {path}" for path in record["add"]]
        lines += ["dvc push", f"git commit -m '{record['message']}'", f"git tag -a {record['version']}"]
        if record["git_remote"]:
            lines.append(f"git push --atomic {record['git_remote']} {record['branch']} {record['version']}")
        return lines


def failed_step(error: ModelkeepError, project: Project) -> str:
    """The sentence to show under an error that stopped a publish."""
    left = unfinished(project)
    return left.text if left else ""
