"""Commands that move data: add, push, fetch, pull, checkout, publish, restore, export."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from modelkeep.cli.output import changes_json, print_changes, print_json, print_table, size_text, when_text
from modelkeep.core.errors import UsageError
from modelkeep.core.paths import visible
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Changes, Version
from modelkeep.core.workflows import data, review
from modelkeep.core.workflows import publish as publishing
from modelkeep.core.workflows import restore as restoring

Show = Callable[[], int | None]


def _shown(done: Changes, arguments: argparse.Namespace) -> Show:
    return lambda: print_json(changes_json(done)) if arguments.json else print_changes(done)


def add(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Track data."""
    done = data.add(project, arguments.targets, file=arguments.file, glob=arguments.glob, progress=progress)
    return _shown(done, arguments)


def _scope(project: Project, arguments: argparse.Namespace) -> tuple[Version, ...]:
    chosen = [review.find_version(project, text) for text in arguments.rev]
    if arguments.all_tags or arguments.all_branches or arguments.all_commits:
        chosen.append(review.find_version(project, "workspace"))
        listed = review.versions(project)
        chosen += listed.tags if arguments.all_tags or arguments.all_commits else ()
        chosen += listed.branches if arguments.all_branches or arguments.all_commits else ()
        chosen += project.git().all_commits() if arguments.all_commits else ()
    return tuple(chosen)


def push(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Send data to the remote."""
    return _shown(data.push(project, arguments.targets, **_choices(project, arguments, progress)), arguments)


def fetch(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Bring data into the cache."""
    return _shown(data.fetch(project, arguments.targets, **_choices(project, arguments, progress)), arguments)


def _choices(project: Project, arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    return {
        "remote": arguments.remote,
        "versions": _scope(project, arguments),
        "each_config": True,
        "progress": progress,
    }


def pull(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Fetch and check out."""
    done = data.pull(
        project, arguments.targets, remote=arguments.remote, force=arguments.force, progress=progress
    )
    return _shown(done, arguments)


def checkout(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Make the workspace match its metafiles."""
    done = data.checkout(
        project, arguments.targets, force=arguments.force, relink=arguments.relink, progress=progress
    )
    return _shown(done, arguments)


# -- publish -------------------------------------------------------------------------------------------


def publish(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Publish a version, or finish or take back an interrupted one."""
    if arguments.resume:
        return _shown(publishing.resume(project, progress), arguments)
    if arguments.undo:
        return _shown(publishing.undo(project, progress), arguments)
    if not arguments.version:
        raise UsageError("Name the new version.", hint="For example: modelkeep publish v1.1 -m “…”")
    plan = publishing.plan_publish(
        project,
        arguments.version,
        arguments.message,
        arguments.targets,
        remote=arguments.remote,
        git_remote=arguments.git_remote,
        progress=progress,
    )
    if arguments.dry_run:
        return lambda: _show_publish_plan(plan, arguments)
    done = publishing.publish(project, plan, progress)
    return _shown(done, arguments)


def _show_publish_plan(plan: publishing.PublishPlan, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(
            {
                "version": plan.version,
                "branch": plan.branch,
                "can_start": plan.can_start,
                "add": list(plan.add),
                "outputs": list(plan.outputs),
                "commit_paths": list(plan.commit_paths),
                "files": plan.files,
                "bytes": plan.bytes,
                "steps": [{"name": s.name, "state": s.state, "detail": s.detail} for s in plan.steps],
                "obstacles": [{"text": o.text, "fix": o.fix, "blocks": o.blocks} for o in plan.obstacles],
                "notes": list(plan.notes),
            }
        )
        return
    print(
        f"Publishing {visible(plan.version)} from {visible(plan.branch)}: {size_text(plan.bytes)} of changed data"
    )
    for number, step in enumerate(plan.steps, 1):
        mark = " (nothing to do)" if step.state == "skipped" else ""
        print(f"  {number}. {step.text}{mark}" + (f": {visible(step.detail)}" if step.detail else ""))
    for obstacle in plan.obstacles:
        print(f"{'In the way' if obstacle.blocks else 'Note'}: {visible(obstacle.text)} {obstacle.fix}")
    for note in plan.notes:
        print(f"Note: {visible(note)}")


# -- restore and export --------------------------------------------------------------------------------


def restore(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Bring a version or some outputs back, or what an earlier restore replaced."""
    if arguments.replaced:
        return _list_replaced(project, arguments)
    if arguments.bring_back:
        return _shown(restoring.bring_back(project, arguments.bring_back, progress), arguments)
    if not arguments.version:
        raise UsageError("Name the version to restore.", hint="List them: modelkeep versions")
    how = _how(arguments)
    return _restore(project, arguments, how, arguments.folder, progress)


def _how(arguments: argparse.Namespace) -> restoring.How:
    chosen = [arguments.branch is not None, arguments.detach, arguments.folder is not None]
    if sum(chosen) > 1:
        raise UsageError("Choose one of --branch, --detach and --folder.")
    if arguments.folder:
        return restoring.How.FOLDER
    if arguments.detach:
        return restoring.How.DETACH
    if arguments.outputs and arguments.branch is None:
        return restoring.How.WORKSPACE
    return restoring.How.BRANCH


def _restore(
    project: Project,
    arguments: argparse.Namespace,
    how: restoring.How,
    folder: str | None,
    progress: Progress,
) -> Show:
    plan = restoring.plan_restore(
        project,
        review.find_version(project, arguments.version),
        outputs=arguments.outputs,
        how=how,
        branch=getattr(arguments, "branch", None) or None,
        folder=folder,
        progress=progress,
    )
    if getattr(arguments, "dry_run", False):
        return lambda: _show_restore_plan(plan, arguments)
    done = restoring.restore(project, plan, force=arguments.force, progress=progress)
    return _shown(done, arguments)


def _show_restore_plan(plan: restoring.RestorePlan, arguments: argparse.Namespace) -> None:
    lists = {
        "create": plan.create,
        "replace": plan.replace,
        "delete": plan.delete,
        "unsaved": plan.unsaved,
        "missing": plan.missing,
        "git_changes": plan.git_changes,
    }
    if arguments.json:
        print_json(
            {
                "version": plan.version.name,
                "how": plan.how.value,
                "branch": plan.branch,
                "folder": plan.folder,
                "fetch_files": plan.fetch_files,
                "fetch_bytes": plan.fetch_bytes,
            }
            | {name: list(paths) for name, paths in lists.items()}
        )
        return
    print(f"Restoring {visible(plan.version.name)} ({plan.how.value})")
    if plan.fetch_files:
        print(f"  fetch {plan.fetch_files} files, {size_text(plan.fetch_bytes)}")
    words = {
        "unsaved": "unsaved, in the way",
        "missing": "data found nowhere",
        "git_changes": "uncommitted, in the way",
    }
    for name, paths in lists.items():
        if paths:
            print(f"  {words.get(name, name)}: {len(paths)}")
            for path in paths[:20]:
                print(f"    {visible(path)}")


def export(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Copy a version's data into another folder."""
    return _restore(project, arguments, restoring.How.FOLDER, arguments.folder, progress)


def _list_replaced(project: Project, arguments: argparse.Namespace) -> Show:
    found = restoring.replaced(project)

    def show() -> None:
        if arguments.json:
            print_json([{"id": r.id, "when": r.when.isoformat(), "paths": list(r.paths)} for r in found])
            return
        print_table(
            ("id", "when", "files"), [(r.id, when_text(r.when), ", ".join(r.paths[:3])) for r in found]
        )
        if not found:
            print("Nothing was replaced.")

    return show
