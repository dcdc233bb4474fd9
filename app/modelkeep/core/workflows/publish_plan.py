"""What publishing a version would do, decided from the workspace alone: steps, bytes, and what is in the way.

Changes nothing and asks no server. `publish` runs the plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from modelkeep.core.nouns import dataclass, replace
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import State, Status
from modelkeep.core.workflows import data
from modelkeep.core.workflows.journal import Journal
from modelkeep.core.workflows.review import presence

STEPS = ("add", "push", "verify", "commit", "tag", "git-push")
STEP_TEXT = {
    "add": "Add changed data",
    "push": "Send data to the remote",
    "verify": "Verify it on the remote",
    "commit": "Commit the metafiles",
    "tag": "Tag the version",
    "git-push": "Push branch and tag to Git",
}
#: Project files a colleague needs besides the metafiles; published along when they are new or changed.
PROJECT_FILES = (".dvc/config", ".dvc/.gitignore", ".dvcignore")


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


# -- planning ------------------------------------------------------------------------------------------


def plan_publish(
    project: Project,
    version: str,
    message: str = "",
    outputs: Sequence[str] = (),
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
    git_target = git_remote or default_git_remote(project)
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
        if path.startswith("../"):
            continue  # another project in the same Git repository
        name = path.rpartition("/")[2]
        is_meta = path in metafiles or name in ("dvc.yaml", "dvc.lock", ".gitignore") or name.endswith(".dvc")
        if (is_meta or path in PROJECT_FILES) and not path.startswith(".dvc/tmp/"):
            wanted.append(path)
    by_path = {s.output.path: s.output.metafile for s in status.outputs}
    wanted += [by_path.get(path, f"{path}.dvc") for path in add]
    return tuple(dict.fromkeys(wanted))


def _to_send(project: Project, status: Status, add: tuple[str, ...], remote: str | None) -> tuple[int, int]:
    """An estimate before anything is hashed: data to add by its size on disk, and what was recorded earlier
    but is not on the remote as far as an earlier listing says."""
    measured = [project.workspace.measure(path) for path in add]
    kept = [s.output for s in status.outputs if s.output.path not in add and data.is_pushed(s.output)]
    waiting = presence(project, kept, ask_remote=False).values() if remote else ()
    files = sum(files for files, _ in measured) + sum(one.only_here for one in waiting)
    return files, sum(size for _, size in measured) + sum(one.only_here_bytes for one in waiting)


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
        Step(name, STEP_TEXT[name], "skipped" if skipped.get(name) else "todo", details.get(name, ""))
        for name in STEPS
    )


def _obstacles(project: Project, plan: PublishPlan, status: Status) -> Iterator[Obstacle]:
    if Journal(project.root, "publish").read() is not None:
        yield Obstacle("An earlier publish was interrupted.", "Resume it or undo it first.")
    yield from _about_name(project, plan)
    yield from _about_branch(project, plan, status)
    yield from _about_content(project, plan, status)
    yield from _about_places(project, plan)


def _about_name(project: Project, plan: PublishPlan) -> Iterator[Obstacle]:
    problem = check_name(plan.version)
    if problem:
        yield Obstacle(problem, "Choose a name such as v1.0 or model@v1.0.0.")
    elif project.git().tag_exists(plan.version):
        yield Obstacle(f"The version {plan.version} exists already.", "Choose another name.")
    if project.git().identity() is None:
        fix = 'Set it once: git config --global user.name "…" and user.email "…".'
        yield Obstacle("Git does not know who you are.", fix)


def _about_branch(project: Project, plan: PublishPlan, status: Status) -> Iterator[Obstacle]:
    if status.branch is None:
        fix = "Switch to a branch, or restore into a new one."
        yield Obstacle("No branch is checked out (detached HEAD).", fix)
    elif plan.branch != status.branch:
        text = f"The branch {plan.branch} is not checked out (it is {status.branch})."
        yield Obstacle(text, f"Switch to {plan.branch} first.")
    if status.behind:
        text = f"The branch is behind {status.upstream} (commits: {status.behind})."
        yield Obstacle(text, "Run git pull first.")


def _about_content(project: Project, plan: PublishPlan, status: Status) -> Iterator[Obstacle]:
    if ".dvc/config" in plan.commit_paths and project.config_secrets("repo"):
        text = "A password stands in .dvc/config and would be published with this version."
        yield Obstacle(text, "Move it to the keyring: modelkeep login --migrate.")
    for problem in status.problems:
        yield Obstacle(f"{problem.file}: {problem.reason}", "Repair the file first.")
    gone = [s.output.path for s in status.outputs if s.state is State.DELETED]
    if gone:
        text = f"{', '.join(gone)} is missing from the workspace; the version keeps what was recorded."
        yield Obstacle(text, "Check it out again if that is not meant.", blocks=False)
    if not plan.outputs and not plan.commit_paths and not status.outputs:
        yield Obstacle("Nothing is tracked in this project yet.", "Add data or a model first.")


def _about_places(project: Project, plan: PublishPlan) -> Iterator[Obstacle]:
    refusal = project.git().push_refusal(plan.git_remote) if plan.git_remote is not None else None
    if refusal is not None:
        yield Obstacle(refusal.title, refusal.hint)
    if plan.remote is None:
        text = "No remote is set up: publishing stops after the data is saved on this machine."
        yield Obstacle(text, "Add one: modelkeep remote add -d NAME URL.", blocks=False)
    if plan.git_remote is None:
        text = "There is no Git remote: the version stays on this machine."
        yield Obstacle(text, "Add one: git remote add origin URL.", blocks=False)


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


def default_git_remote(project: Project) -> str | None:
    """The Git remote a version is pushed to when none is named: origin, else the first."""
    names = list(project.git().remotes())
    return "origin" if "origin" in names else (names[0] if names else None)
