"""Commands that free space: gc."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from modelkeep.cli.output import changes_json, print_changes, print_json, print_table, size_text
from modelkeep.cli.terminal import running
from modelkeep.core.errors import Refused, UsageError
from modelkeep.core.paths import visible
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Changes
from modelkeep.core.workflows import gc as cleaning

Show = Callable[[], int | None]
_ROWS = 20


def gc(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Remove what nothing kept needs from the cache, and with -c from a remote; or take that back."""
    if arguments.keep_days is not None:
        if arguments.keep_days < 0:
            raise UsageError("The number of days cannot be less than 0.")
        cleaning.set_keep_days(project, arguments.keep_days)
    if arguments.undo:
        return _shown(cleaning.undo(project, progress), arguments)
    keep = _keep(arguments)
    if keep is None:
        if arguments.purge:
            return lambda: _purge(project, arguments, progress)
        if arguments.keep_days is not None:
            text = f"What is removed from a cache can be brought back for {arguments.keep_days} days."
            return _shown(Changes(summary=text), arguments)
        raise UsageError(
            "Say which versions to keep.",
            hint="-w the workspace only, -a all branches, -T all tags, -A all commits, --rev VERSION. "
            "The workspace is always kept.",
        )
    if arguments.purge:
        raise UsageError("--purge goes without a scope: it frees what earlier clean-ups removed.")
    plan = cleaning.plan_gc(
        project,
        keep,
        cloud=arguments.cloud,
        remote=arguments.remote,
        even_unpushed=arguments.even_unpushed,
        force=arguments.force,
        progress=progress,
    )

    def show() -> None:
        try:
            _ask_and_collect(project, plan, arguments, progress)
        finally:
            project.close()

    return show


def _keep(arguments: argparse.Namespace) -> cleaning.Keep | None:
    scopes = (arguments.workspace, arguments.all_branches, arguments.all_tags, arguments.all_commits)
    if not any(scopes) and not arguments.rev:
        return None
    return cleaning.Keep(
        branches=arguments.all_branches,
        tags=arguments.all_tags,
        commits=arguments.all_commits,
        revs=tuple(arguments.rev),
        stashes=not arguments.no_stash,
        reflog=not arguments.no_reflog,
    )


def _shown(done: Changes, arguments: argparse.Namespace) -> Show:
    return lambda: print_json(changes_json(done)) if arguments.json else print_changes(done)


# Asking happens when the progress line is gone, so it is a part of what is shown.


def _ask_and_collect(
    project: Project, plan: cleaning.GcPlan, arguments: argparse.Namespace, progress: Progress
) -> None:
    if not arguments.json:
        _print_plan(plan)
    if arguments.dry_run or plan.is_empty:
        if arguments.json:
            print_json(_plan_json(plan) | {"done": None})
        return
    if not arguments.yes and (plan.must_say_yes or not _is_confirmed(arguments, "Remove them?", progress)):
        if arguments.json:
            print_json(_plan_json(plan) | {"done": None})
        raise Refused(
            "Nothing was removed.", detail=plan.must_say_yes, hint="If that is meant, say so: --yes"
        )
    with running(progress, quiet=arguments.json or arguments.quiet):
        done = cleaning.collect(project, plan, yes=arguments.yes, progress=progress)
    if arguments.json:
        print_json(_plan_json(plan) | {"done": changes_json(done) | done.details})
    else:
        print_changes(done)


def _is_confirmed(arguments: argparse.Namespace, question: str, progress: Progress) -> bool:
    """Ask on a terminal; without one the answer is no."""
    if arguments.json or not sys.stdin.isatty():
        return False
    print(f"{question} Type yes to go on: ", end="", flush=True)
    answer = sys.stdin.readline().strip().lower()
    progress.check()
    return answer == "yes"


def _purge(project: Project, arguments: argparse.Namespace, progress: Progress) -> None:
    held = cleaning.quarantined(project)
    if held and not arguments.yes:
        question = f"Delete {len(held)} objects ({size_text(sum(held.values()))}) in quarantine for good?"
        if arguments.dry_run or not _is_confirmed(arguments, question, progress):
            raise Refused(f"Nothing was deleted. {question}", hint="If that is meant, say so: --yes")
    _shown(cleaning.purge(project, progress), arguments)()


# -- the plan ------------------------------------------------------------------------------------------


def _print_plan(plan: cleaning.GcPlan) -> None:
    print(f"Kept: {plan.keep.text}.")
    print(f"In the cache: {_sum(plan.remove)} to be removed; {plan.staying + plan.young} stay.")
    _print_belongings(plan.belongs)
    if plan.only_here:
        fate = "THEY ARE REMOVED" if plan.even_unpushed else "they stay; --even-unpushed removes them"
        print(f"ONLY ON THIS MACHINE, on no remote: {_sum(plan.only_here)} ({fate}).")
        _print_belongings(plan.stays)
    if plan.temps:
        print(f"Temporary files that nobody uses any more: {len(plan.temps)}, {_size(plan.temps)}.")
    if plan.expired:
        print(f"Removed long ago, to be deleted for good: {size_text(plan.expired_bytes)}.")
    if plan.far is not None:
        _print_far(plan.far)
    for text in plan.warnings:
        print(f"Warning: {visible(text)}")
    for note in plan.notes:
        print(f"Note: {visible(note)}")


def _print_far(far: Any) -> None:
    print(
        f"On {visible(far.remote)} ({visible(far.where)}): {_sum(far.remove)} to be removed; {far.staying} stay."
    )
    _print_belongings(far.belongs)
    if far.only_there:
        print(f"THEIR ONLY COPY, as far as is known here: {_sum(far.only_there)} of these.")
    if far.young:
        print(f"Kept there because they came a short while ago: {far.young}.")


def _print_belongings(belongs: Sequence[cleaning.Belonging]) -> None:
    rows = [
        (f"  {one.path or '–'}", _versions(one), f"{one.objects}", size_text(one.bytes))
        for one in belongs[:_ROWS]
    ]
    print_table(("  path", "versions", "objects", "size"), rows, right=(2, 3))
    if len(belongs) > _ROWS:
        print(f"  … and {len(belongs) - _ROWS} more")


def _versions(one: cleaning.Belonging) -> str:
    if not one.path:
        return "of no version that is known here"
    more = f" and {len(one.versions) - 3} more" if len(one.versions) > 3 else ""
    return ", ".join(one.versions[:3]) + more


def _sum(objects: dict[str, int]) -> str:
    return f"{len(objects)} object{'' if len(objects) == 1 else 's'}, {_size(objects)}"


def _size(objects: dict[str, int]) -> str:
    return size_text(sum(objects.values()))


def _plan_json(plan: cleaning.GcPlan) -> dict[str, Any]:
    far = plan.far
    return {
        "kept": plan.keep.text,
        "staying": plan.staying + plan.young,
        "remove": _counts(plan.remove, plan.belongs),
        "only_here": _counts(plan.only_here, plan.stays) | {"removed": plan.even_unpushed},
        "temporary_files": len(plan.temps),
        "expired_bytes": plan.expired_bytes,
        "quarantine_days": plan.days,
        "remote": None
        if far is None
        else {
            "name": far.remote,
            "remove": _counts(far.remove, far.belongs),
            "only_there": len(far.only_there),
            "staying": far.staying,
            "young": far.young,
        },
        "needs_yes": plan.must_say_yes or None,
        "warnings": list(plan.warnings),
        "notes": list(plan.notes),
    }


def _counts(objects: dict[str, int], belongs: Sequence[cleaning.Belonging]) -> dict[str, Any]:
    return {
        "objects": len(objects),
        "bytes": sum(objects.values()),
        "belong_to": [
            {
                "path": one.path or None,
                "versions": list(one.versions),
                "objects": one.objects,
                "bytes": one.bytes,
            }
            for one in belongs
        ],
    }
