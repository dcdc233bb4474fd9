"""The artifacts that GTO tags name: which version is the latest, and which one has which stage (dvc-format §9).

Follows the tags alone, as `gto show` does. Asks nobody and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from modelkeep.core.formats.gto import version_sort_key
from modelkeep.core.nouns import dataclass
from modelkeep.core.values import Version


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact; `stages` are pairs of a stage and the version that has it. `latest` is "" without any version.

    A version without a name of its own stands as its commit id.
    """

    name: str
    latest: str = ""
    stages: tuple[tuple[str, str], ...] = ()
    is_active: bool = True


def artifacts(tags: Iterable[Version]) -> tuple[Artifact, ...]:
    """What the annotated ones among `tags` say of each artifact, by its name.

    The latest version is the highest that is registered; a stage belongs to the version it was given last,
    which brings a rollback, and falls back to the one before when that is taken away. Events count in the
    order of their time, within one second by their counter.
    """
    found: dict[str, list[Version]] = {}
    for tag in tags:
        if tag.gto is not None and tag.annotated:
            found.setdefault(tag.gto.artifact, []).append(tag)
    return tuple(_artifact(name, sorted(events, key=_moment)) for name, events in sorted(found.items()))


def _moment(tag: Version) -> tuple[datetime, int, str]:
    counter = tag.gto.counter if tag.gto is not None else None
    return tag.when or datetime.min.replace(tzinfo=UTC), counter or 0, tag.name


def _artifact(name: str, events: Sequence[Version]) -> Artifact:
    registered: dict[str, str] = {}  # version -> commit
    named: dict[str, str] = {}  # commit -> version
    for tag in events:
        assert tag.gto is not None
        if tag.gto.event == "register":
            registered[tag.gto.version] = tag.commit
            named[tag.commit] = tag.gto.version
        elif tag.gto.event == "deregister":
            registered.pop(tag.gto.version, None)
    latest = max(registered, key=version_sort_key, default="")
    last = events[-1].gto
    return Artifact(name, latest, _stages(events, named), last is None or last.event != "deprecate")


def _stages(events: Sequence[Version], named: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """(stage, version) for each stage that is taken: the newest assignment that was not taken away."""
    held: dict[str, dict[str, None]] = {}  # versions in the order they got the stage
    for tag in events:
        assert tag.gto is not None
        versions = held.setdefault(tag.gto.stage, {}) if tag.gto.stage else {}
        version = named.get(tag.commit, tag.commit)
        if tag.gto.event in ("assign", "unassign"):
            versions.pop(version, None)
        if tag.gto.event == "assign":
            versions[version] = None
    return tuple((stage, list(versions)[-1]) for stage, versions in sorted(held.items()) if versions)
