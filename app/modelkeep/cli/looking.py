"""Commands that only look: versions, show, status, diff."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from modelkeep.cli.output import (
    output_json,
    presence_json,
    print_json,
    print_table,
    size_text,
    version_json,
    when_text,
)
from modelkeep.core.paths import visible
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import OutputStatus, Presence, State, Status, Version
from modelkeep.core.workflows import registry, review

Show = Callable[[], int | None]


def versions(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """Tags, branches (and commits) with what they hold; or the artifacts that GTO tags name."""
    listed = review.versions(project, progress, commits=arguments.commits)
    if arguments.artifacts:
        return _artifacts(registry.artifacts(listed.tags), arguments)
    chosen: list[Version] = []
    if not arguments.branches:
        chosen += listed.tags
    if not arguments.tags:
        chosen += [*listed.branches, *listed.remote_branches]
    if arguments.commits:
        chosen += listed.commits
    found = review.snapshots(project, chosen, progress)
    where = review.version_presence(project, found, progress, ask_remote=_may_ask(project, arguments))

    def show() -> None:
        if arguments.json:
            print_json(
                [
                    version_json(v)
                    | {"outputs": len(found[v.key].outputs), "size": found[v.key].size}
                    | presence_json(where[v.key])
                    for v in chosen
                ]
            )
            return
        rows = [
            (
                ("* " if v.is_head else "  ") + v.name,
                v.kind.value,
                when_text(v.when),
                v.author,
                str(len(found[v.key].outputs)),
                size_text(found[v.key].size),
                where[v.key].where.value,
                v.subject,
            )
            for v in chosen
        ]
        header = ("  version", "kind", "when", "who", "outputs", "size", "data", "message")
        print_table(header, rows, right=(4, 5))
        if not rows:
            print("No versions yet. Publish the first one: modelkeep publish v1.0 -m “…”")

    return show


def _artifacts(found: Sequence[registry.Artifact], arguments: argparse.Namespace) -> Show:
    def show() -> None:
        if arguments.json:
            print_json(
                [
                    {
                        "name": a.name,
                        "latest": a.latest or None,
                        "stages": dict(a.stages),
                        "active": a.is_active,
                    }
                    for a in found
                ]
            )
            return
        rows = [
            (a.name, a.latest or "-", ", ".join(f"{stage}: {version}" for stage, version in a.stages) or "-")
            for a in found
            if a.is_active
        ]
        print_table(("artifact", "latest", "stages"), rows)
        if not rows:
            print("No artifacts yet: they are named by annotated tags such as model@v1.0.0 (GTO).")

    return show


def _may_ask(project: Project, arguments: argparse.Namespace) -> bool:
    """A folder remote is asked always; a server only when the user wants it, because it may need a login."""
    default = next((one for one in project.remotes() if one.is_default), None)
    return default is not None and not default.problem and (arguments.remote or default.kind == "local")


def show(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """The outputs of a version, the files of one output, or the history of one."""
    if arguments.history:
        return _history(project, arguments, progress)
    version = review.find_version(project, arguments.version)
    found = review.snapshot(project, version, progress)
    if arguments.output:
        return _files(project, arguments, version, progress)
    where = review.presence(project, found.outputs, progress, ask_remote=_may_ask(project, arguments))

    def show() -> None:
        if arguments.json:
            print_json([output_json(out, where[out.path]) for out in found.outputs])
            return
        rows = [
            (
                out.path + ("/" if out.is_dir else ""),
                out.kind.value,
                size_text(out.size),
                "–" if out.file_count is None else str(out.file_count),
                out.oid.hash[:8] if out.oid else "–",
                _where(where[out.path], out.cached),
            )
            for out in found.outputs
        ]
        print_table(("path", "kind", "size", "files", "md5", "data"), rows, right=(2, 3))
        if not rows:
            print(f"Nothing is tracked at {version.name}.")
        for problem in found.problems:
            print(f"Problem: {visible(problem.file)}: {visible(problem.reason)}")

    return show


def _where(where: Presence, cached: bool) -> str:
    return where.where.value if cached else "in Git"


def _files(project: Project, arguments: argparse.Namespace, version: Version, progress: Progress) -> Show:
    from modelkeep.core.errors import NotFound

    out = review.snapshot(project, version, progress).find(arguments.output)
    if out is None:
        raise NotFound(f"{arguments.output} is not an output at {version.name}.")
    listed = review.manifest(project, out, progress)
    sizes = review.entry_sizes(project, listed)

    def show() -> None:
        if arguments.json:
            print_json([{"path": e.path, "md5": e.hash, "size": sizes.get(e.hash)} for e in listed.entries])
            return
        rows = [(e.path, size_text(sizes.get(e.hash)), e.hash[:8]) for e in listed.entries]
        print_table(("path", "size", "md5"), rows, right=(1,))

    return show


def _history(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    found = review.output_history(project, arguments.history, progress)

    def show() -> None:
        if arguments.json:
            print_json([output_json(one.output) | {"versions": list(one.names)} for one in found])
            return
        rows = [
            (
                when_text(one.version.when),
                size_text(one.output.size),
                one.output.oid.hash[:8] if one.output.oid else "–",
                ", ".join(one.names[:4]),
                one.version.subject,
            )
            for one in found
        ]
        print_table(("when", "size", "md5", "versions", "message"), rows, right=(1,))

    return show


def status(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """The workspace against its metafiles and HEAD; with --cloud also against the remote."""
    now = review.status(project, progress)
    where: dict[str, Presence] = {}
    if arguments.cloud:
        where = review.presence(project, [one.output for one in now.outputs], progress)

    def show() -> None:
        if arguments.json:
            print_json(_status_json(now, where))
        else:
            _print_status(now, where)

    return show


def _status_json(now: Status, where: dict[str, Presence]) -> dict[str, object]:
    return {
        "clean": now.is_clean,
        "branch": now.branch,
        "commit": now.commit or None,
        "upstream": now.upstream,
        "ahead": now.ahead,
        "behind": now.behind,
        "outputs": [
            output_json(one.output, where.get(one.output.path))
            | {
                "state": one.state.value,
                "committed": one.committed.value,
                "added": list(one.added),
                "changed": list(one.changed),
                "removed": list(one.removed),
                "missing_objects": one.missing,
            }
            for one in now.outputs
        ],
        "git_changes": list(now.git_changes),
        "problems": [{"file": p.file, "reason": p.reason} for p in now.problems],
    }


def _print_status(now: Status, where: dict[str, Presence]) -> None:
    if now.branch:
        sides = [f"{now.ahead} ahead" if now.ahead else "", f"{now.behind} behind" if now.behind else ""]
        against = f" ({', '.join(s for s in sides if s)} of {now.upstream})" if any(sides) else ""
        print(f"On branch {visible(now.branch)}{against}")
    elif now.commit:
        print(f"No branch is checked out; at commit {now.commit[:8]}")
    rows = [_status_row(one) for one in now.outputs if _differs(one)]
    print_table(("path", "workspace", "since last commit", "files"), rows)
    if not rows:
        print("The data is unchanged." if now.outputs else "Nothing is tracked yet: modelkeep add PATH")
    for path, one in where.items():
        print(f"{visible(path)}: {one.where.value}")
    others = [path for path in now.git_changes if not path.endswith((".dvc", ".gitignore"))]
    if others:
        print(f"Other changed files: {', '.join(visible(path) for path in others[:10])}")
    for problem in now.problems:
        print(f"Problem: {visible(problem.file)}: {visible(problem.reason)}")


def _differs(one: OutputStatus) -> bool:
    return one.state is not State.CLEAN or one.committed is not State.CLEAN or bool(one.missing)


def _status_row(one: OutputStatus) -> tuple[str, str, str, str]:
    marks = [f"+{len(one.added)}" * bool(one.added), f"~{len(one.changed)}" * bool(one.changed)]
    marks += [f"−{len(one.removed)}" * bool(one.removed), f"{one.missing} not here" * bool(one.missing)]
    return one.output.path, one.state.value, one.committed.value, " ".join(m for m in marks if m)


def diff(project: Project, arguments: argparse.Namespace, progress: Progress) -> Show:
    """What differs between two versions, file by file."""
    before = review.find_version(project, arguments.before)
    after = review.find_version(project, arguments.after)
    found = review.compare(project, before, after, progress)

    def show() -> None:
        if arguments.json:
            print_json(
                [
                    {
                        "status": row.status,
                        "path": row.path,
                        "old_path": row.old_path,
                        "size_before": row.size_before,
                        "size_after": row.size_after,
                        "md5_before": row.before_hash,
                        "md5_after": row.after_hash,
                    }
                    for row in found.rows
                ]
            )
            return
        signs = {"added": "+", "changed": "~", "removed": "−", "renamed": "→"}
        rows = [
            (
                f"{signs[row.status]} {row.status}",
                row.path if row.old_path is None else f"{row.old_path} → {row.path}",
                size_text(row.size_before),
                size_text(row.size_after),
            )
            for row in found.rows
        ]
        print_table(("change", "path", before.name, after.name), rows, right=(2, 3))
        if not rows:
            print(f"{before.name} and {after.name} hold the same data.")

    return show
