"""What to tell of a transfer once everything that could be done was done. Decides only words; moves nothing."""

from __future__ import annotations

from collections.abc import Sequence

from modelkeep.core.engine.transfer import TransferPlan, TransferResult
from modelkeep.core.errors import MissingObjects, ModelkeepError, Refused
from modelkeep.core.values import Output


def problems_of(
    plan: TransferPlan, result: TransferResult, what: str, outputs: Sequence[Output] = ()
) -> list[ModelkeepError]:
    """What could not be done of a transfer, as one error: everything else was done."""
    failed = (*plan.failed, *result.failed)
    if len(failed) == 1:
        return [failed[0][1]]
    if failed:
        return [
            Refused(
                f"{len(failed)} objects could not be {what}.",
                detail="\n".join(str(error) for _, error in failed[:20]),
                hint=failed[0][1].hint,
                paths=tuple(item.label for item, _ in failed),
            )
        ]
    return [_missing(plan, outputs)] if plan.missing else []


def _missing(plan: TransferPlan, outputs: Sequence[Output]) -> MissingObjects:
    paths = tuple(dict.fromkeys(one.label for one in plan.missing))
    count = "1 object is" if len(plan.missing) == 1 else f"{len(plan.missing)} objects are"
    hint = "Ask whoever made this version to run modelkeep push (or dvc push)."
    imported = [out.path for out in outputs if out.imported and _has_any(out, paths)]
    if imported:
        hint = f"Imported data comes from where it was imported: dvc pull {' '.join(imported)}"
    return MissingObjects(
        f"{count} neither here nor on the remote: {', '.join(paths[:5])}",
        detail="Everything else was done.",
        hint=hint,
        paths=paths,
    )


def _has_any(out: Output, paths: Sequence[str]) -> bool:
    return any(path == out.path or path.startswith(f"{out.path}/") for path in paths)


def raise_first(problems: Sequence[ModelkeepError]) -> None:
    if problems:
        raise problems[0]
