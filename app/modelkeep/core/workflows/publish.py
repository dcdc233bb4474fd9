"""Publish a version: add, push the data, verify it on the remote, commit, tag, push Git — in this order.

The order is the promise: a pushed Git reference names only data that was proven to be on the remote. A
journal is written before each step, so that whatever interrupts it, `resume` finishes the rest and, until
Git is pushed, `undo` takes everything back. Knows nothing of screens; the engine does the work.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace
from typing import Any

from modelkeep.core.durable import write_file
from modelkeep.core.errors import GitFailed, MissingObjects, ModelkeepError, NoRemote, Refused, UsageError
from modelkeep.core.paths import Tree
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Change, Changes, Output, State, Status
from modelkeep.core.workflows import data
from modelkeep.core.workflows.journal import Journal

STEPS = ("add", "push", "verify", "commit", "tag", "git-push")
_TEXT = {
    "add": "Add changed data",
    "push": "Send data to the remote",
    "verify": "Verify it on the remote",
    "commit": "Commit the metafiles",
    "tag": "Tag the version",
    "git-push": "Push branch and tag to Git",
}
#: Project files a colleague needs besides the metafiles; published along when they are new or changed.
_PROJECT_FILES = (".dvc/config", ".dvc/.gitignore", ".dvcignore")


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it is shown: `state` is "todo", "done" or "skipped" (with `detail` saying why)."""

    name: str
    text: str
    state: str = "todo"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something in the way. `blocks` says whether publishing can start at all."""

    text: str
    fix: str
    blocks: bool = True


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """What publishing will do. `add` are the paths to add, `outputs` what is new since the last commit,
    `files` and `bytes` what has to be sent as far as is known before adding."""

    version: str
    message: str
    branch: str
    add: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    commit_paths: tuple[str, ...] = ()
    remote: str | None = None
    git_remote: str | None = None
    files: int = 0
    bytes: int = 0
    steps: tuple[Step, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def can_start(self) -> bool:
        """Whether nothing blocks."""
        return not any(obstacle.blocks for obstacle in self.obstacles)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A publish that was interrupted: `step` is the one to do next, `can_undo` until Git was pushed."""

    version: str
    step: str
    text: str
    can_undo: bool


# -- planning ------------------------------------------------------------------------------------------


def plan_publish(
    project: Project,
    version: str,
    message: str = "",
    outputs: tuple[str, ...] | list[str] = (),
    *,
    branch: str | None = None,
    remote: str | None = None,
    git_remote: str | None = None,
    progress: Progress = SILENT,
) -> PublishPlan:
    """Look at everything and decide; changes nothing and asks no server.

    `outputs` limits what is added (paths of outputs, or new data to track); default is every output whose
    data changed. `branch` must be the branch that is checked out; default is just that.
    """
    progress = progress.child("Looking at the workspace")
    status = project.workspace.status(progress)
    add, notes = _what_to_add(status, tuple(outputs))
    target = remote or project.config.default_remote
    git_target = git_remote or _git_remote(project)
    plan = PublishPlan(
        version=version,
        message=message or f"Version {version}",
        branch=branch or status.branch or "",
        add=add,
        outputs=tuple(dict.fromkeys((*add, *_changed_since_commit(status)))),
        commit_paths=_commit_paths(project, status, add),
        remote=target,
        git_remote=git_target,
        notes=notes,
    )
    files, size = _to_send(project, status, add, target)
    return replace(
        plan, files=files, bytes=size, steps=_steps(plan), obstacles=tuple(_obstacles(project, plan, status))
    )


def _what_to_add(status: Status, chosen: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    changed = [s.output.path for s in status.outputs if s.state in (State.MODIFIED, State.NEW)]
    if not chosen:
        return tuple(changed), ()
    clean = tuple(path.rstrip("/") for path in chosen)
    known = {s.output.path: s.state for s in status.outputs}
    wanted = tuple(path for path in clean if known.get(path) not in (State.CLEAN, State.NOT_IN_CACHE))
    left = [path for path in changed if path not in clean]
    notes = (f"Changes in {', '.join(left)} are not part of this version.",) if left else ()
    return wanted, notes


def _changed_since_commit(status: Status) -> list[str]:
    return [s.output.path for s in status.outputs if s.committed in (State.MODIFIED, State.NEW)]


def _commit_paths(project: Project, status: Status, add: tuple[str, ...]) -> tuple[str, ...]:
    """Changed metafiles, ignore files and project files. Other changed files stay out of the version."""
    metafiles = {s.output.metafile for s in status.outputs}
    wanted = []
    for path in status.git_changes:
        name = path.rpartition("/")[2]
        is_meta = path in metafiles or name in ("dvc.yaml", "dvc.lock", ".gitignore") or name.endswith(".dvc")
        if (is_meta or path in _PROJECT_FILES) and not path.startswith(".dvc/tmp/"):
            wanted.append(path)
    by_path = {s.output.path: s.output.metafile for s in status.outputs}
    wanted += [by_path.get(path, f"{path}.dvc") for path in add]
    return tuple(dict.fromkeys(wanted))


def _to_send(project: Project, status: Status, add: tuple[str, ...], remote: str | None) -> tuple[int, int]:
    """An estimate before anything is hashed: data to add by its size on disk."""
    measured = [project.workspace.measure(path) for path in add]
    return sum(files for files, _ in measured), sum(size for _, size in measured)


def _steps(plan: PublishPlan) -> tuple[Step, ...]:
    details = {
        "add": ", ".join(plan.add),
        "push": plan.remote or "no remote is set up",
        "commit": ", ".join(plan.commit_paths),
        "tag": plan.version,
        "git-push": plan.git_remote or "no Git remote is set up",
    }
    skipped = {
        "add": not plan.add,
        "commit": not plan.commit_paths,
        "git-push": plan.git_remote is None,
    }
    return tuple(
        Step(name, _TEXT[name], "skipped" if skipped.get(name) else "todo", details.get(name, ""))
        for name in STEPS
    )


def _obstacles(project: Project, plan: PublishPlan, status: Status) -> list[Obstacle]:
    found: list[Obstacle] = []
    history = project.git()
    if unfinished(project) is not None:
        found.append(Obstacle("An earlier publish was interrupted.", "Resume it or undo it first."))
    name_problem = check_name(plan.version)
    if name_problem:
        found.append(Obstacle(name_problem, "Choose a name such as v1.0 or model@v1.0.0."))
    elif history.tag_exists(plan.version):
        found.append(Obstacle(f"The version {plan.version} exists already.", "Choose another name."))
    if status.branch is None:
        found.append(
            Obstacle(
                "No branch is checked out (detached HEAD).", "Switch to a branch, or restore into a new one."
            )
        )
    elif plan.branch != status.branch:
        found.append(
            Obstacle(
                f"The branch {plan.branch} is not checked out (it is {status.branch}).",
                f"Switch to {plan.branch} first.",
            )
        )
    if history.identity() is None:
        found.append(
            Obstacle(
                "Git does not know who you are.",
                'Set it once: git config --global user.name "…" and user.email "…".',
            )
        )
    if status.behind:
        found.append(
            Obstacle(
                f"The branch is {status.behind} commits behind {status.upstream}.", "Run git pull first."
            )
        )
    if ".dvc/config" in plan.commit_paths and project.config_secrets("repo"):
        found.append(
            Obstacle(
                "A password stands in .dvc/config and would be published with this version.",
                "Move it to the keyring: modelkeep login --migrate.",
            )
        )
    found += [
        Obstacle(f"{problem.file}: {problem.reason}", "Repair the file first.") for problem in status.problems
    ]
    gone = [s.output.path for s in status.outputs if s.state is State.DELETED]
    if gone:
        found.append(
            Obstacle(
                f"{', '.join(gone)} is missing from the workspace; the version keeps what was recorded.",
                "Check it out again if that is not meant.",
                blocks=False,
            )
        )
    if not plan.outputs and not plan.commit_paths and not status.outputs:
        found.append(Obstacle("Nothing is tracked in this project yet.", "Add data or a model first."))
    if plan.remote is None:
        found.append(
            Obstacle(
                "No remote is set up: publishing stops after the data is saved on this machine.",
                "Add one: modelkeep remote add -d NAME URL.",
                blocks=False,
            )
        )
    if plan.git_remote is None:
        found.append(
            Obstacle(
                "There is no Git remote: the version stays on this machine.",
                "Add one: git remote add origin URL.",
                blocks=False,
            )
        )
    return found


def check_name(name: str) -> str:
    """Why `name` cannot be a version's name, or "". Stricter than git: printable ASCII or letters, no
    option-like, bidirectional or invisible characters."""
    if not name:
        return "The version needs a name."
    bad_shape = (
        name.startswith(("-", ".", "/"))
        or name.endswith((".", "/", ".lock"))
        or ".." in name
        or "//" in name
        or "@{" in name
        or "/." in name
        or name == "@"
    )
    if bad_shape or not re.fullmatch(r"[\w.@#!=+/-]+", name):
        return f"“{name[:60]}” cannot be the name of a version."
    return ""


def _git_remote(project: Project) -> str | None:
    names = project.git().remotes()
    return "origin" if "origin" in names else (names[0] if names else None)


# -- running -------------------------------------------------------------------------------------------


def publish(project: Project, plan: PublishPlan, progress: Progress = SILENT) -> Changes:
    """Run a plan. Raises what stopped it; the journal then lets `resume` or `undo` go on."""
    blocking = [obstacle for obstacle in plan.obstacles if obstacle.blocks]
    if blocking:
        raise Refused(f"Version {plan.version} cannot be published: {blocking[0].text}", hint=blocking[0].fix)
    project.require_trust("publish")
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
    record = _journal(project).read()
    if record is None:
        return None
    step = str(record.get("step"))
    version = str(record.get("version"))
    can_undo = not record.get("git_pushing")
    return Unfinished(
        version, step, f"Publishing {version} stopped before: {_TEXT.get(step, step)}", can_undo
    )


def resume(project: Project, progress: Progress = SILENT) -> Changes:
    """Finish an interrupted publish from the step it stopped at; finished work is not repeated."""
    record = _journal(project).read()
    if record is None:
        raise UsageError("There is no interrupted publish to resume.")
    project.require_trust("publish")
    if record.get("remote") is None:
        record["remote"] = project.config.default_remote
    if record.get("git_remote") is None:
        record["git_remote"] = _git_remote(project)
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
    record = _journal(project).read()
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
    if record.get("tag"):
        history.delete_tag(record["version"], expect=record["tag"])
    if record.get("commit"):
        history.reset_commit(record["branch"], record["commit"], record["base"])
    _restore_texts(project, record)
    _journal(project).clear()
    return Changes(
        Change.EVERYTHING & ~Change.REMOTE,
        f"Publishing {record['version']} was undone; your data is untouched.",
        same_as=("modelkeep publish --undo",),
    )


def _journal(project: Project) -> Journal:
    return Journal(project.root, "publish")


def _keep_texts(project: Project, plan: PublishPlan) -> dict[str, str | None]:
    """The metafiles and ignore files that adding will change, so that undo can put them back. Config files
    are never copied: they may hold a password."""
    metafiles = {out.path: out.metafile for out in project.workspace.outputs().outputs}
    paths = {metafiles.get(path, f"{path}.dvc") for path in plan.add}
    paths |= {f"{path.rpartition('/')[0]}/.gitignore".lstrip("/") for path in plan.add}
    tree = Tree(project.root, system=True)
    kept: dict[str, str | None] = {}
    for path in sorted(paths):
        try:
            kept[path] = base64.b64encode(tree.path(path).read_bytes()).decode()
        except FileNotFoundError:
            kept[path] = None
    return kept


def _restore_texts(project: Project, record: dict[str, Any]) -> None:
    tree = Tree(project.root, system=True)
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
        if self.record.get("commit"):
            return
        if head != self.record["base"]:
            self._adopt(head)
        elif set(paths) & set(history.changes()):
            self.record["commit"] = history.commit(paths, self.record["message"], self.progress)
        self._prove_commit()

    def _adopt(self, head: str) -> None:
        """The kill came after our commit and before the journal knew of it, or someone else committed."""
        history = self.project.git()
        if history.parent(head) != self.record["base"] or history.message(head) != self.record["message"]:
            raise Refused(
                "The branch has moved since this publish began.",
                hint="Undo it (modelkeep publish --undo) and publish again.",
            )
        self.record["commit"] = head

    def _prove_commit(self) -> None:
        """The commit must name exactly what was proven: no object comes in by another way."""
        _, head = self.project.git().head()
        proven = {out.oid for out in self._outputs()}
        snapshot = self.project.catalogue.snapshot(self.project.git().resolve(head))
        strangers = [out.path for out in snapshot.outputs if data.is_pushed(out) and out.oid not in proven]
        if not strangers:
            return
        outputs = tuple(out for out in snapshot.outputs if out.path in strangers)
        missing = data.not_proven(self.project, outputs, remote=self._chosen_remote(), progress=self.progress)
        if missing:
            raise MissingObjects(
                f"The commit names data that is not on the remote: {', '.join(strangers)}.",
                paths=missing,
                hint="Push it first (modelkeep push), then: modelkeep publish --resume",
            )

    def tag(self) -> None:
        history = self.project.git()
        _, head = history.head()
        if self.record.get("tag"):
            return
        existing = history.tag_target(self.record["version"])
        if existing is not None and existing != head:
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
                self.progress.child(_TEXT["git-push"]),
            )
        except GitFailed:
            self.record["git_pushing"] = False  # --atomic: nothing arrived
            _journal(self.project).write(self.record)
            raise

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
