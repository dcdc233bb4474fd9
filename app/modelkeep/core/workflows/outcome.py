"""What to tell of a transfer once everything that could be done was done. Decides only words; moves nothing."""

from __future__ import annotations

from collections.abc import Sequence

from modelkeep.core.engine.transfer import TransferPlan, TransferResult
from modelkeep.core.errors import MissingObjects, ModelkeepError, Refused
from modelkeep.core.project import Project
from modelkeep.core.values import Output
from modelkeep.core.workflows.origin import Found, origins


def problems_of(
    project: Project, plan: TransferPlan, result: TransferResult, what: str, found: Found
) -> list[ModelkeepError]:
    """What could not be done of a transfer of `found`: everything else was done."""
    problems: list[ModelkeepError] = []
    failed = (*plan.failed, *result.failed)
    if len(failed) == 1:
        problems.append(failed[0][1])
    elif failed:
        problems.append(
            Refused(
                f"{len(failed)} objects could not be {what}.",
                detail="\n".join(str(error) for _, error in failed[:20]),
                hint=failed[0][1].hint,
                paths=tuple(item.label for item, _ in failed),
            )
        )
    return [*problems, _missing(project, plan, found)] if plan.missing else problems


def _missing(project: Project, plan: TransferPlan, found: Found) -> MissingObjects:
    paths = tuple(dict.fromkeys(one.label for one in plan.missing))
    count = "1 object is" if len(plan.missing) == 1 else f"{len(plan.missing)} objects are"
    hint = "Ask whoever recorded it to run modelkeep push (or dvc push)."
    imported = [out.path for out, _ in found if out.imported and _has_any(out, paths)]
    if imported:
        hint = f"Imported data comes from where it was imported: dvc pull {' '.join(dict.fromkeys(imported))}"
    return MissingObjects(
        f"{count} neither here nor on the remote: {', '.join(paths[:5])}",
        detail="\n".join([*origins(project, plan.missing, found), "Everything else was done."]),
        hint=hint,
        paths=paths,
    )


def _has_any(out: Output, paths: Sequence[str]) -> bool:
    return any(path == out.path or path.startswith(f"{out.path}/") for path in paths)


def raise_first(problems: Sequence[ModelkeepError]) -> None:
    """Raise the first of `problems`, if any, which then tells of the others as well."""
    if not problems:
        return
    first, *others = problems
    for one in others:
        first.detail = "\n".join(filter(None, [first.detail, f"Also: {one.title}", one.detail]))
    raise first
