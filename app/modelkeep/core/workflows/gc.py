"""Free the cache of objects that nothing kept needs: look, show, ask, look again under the locks, put away.

What is removed from the cache stays in quarantine for some days, and `undo` brings it back. What a remote is not
seen to have stays, unless the user says otherwise. What to remove from a remote is gc_remote's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from modelkeep.core.engine import garbage
from modelkeep.core.engine.garbage import Sizes
from modelkeep.core.engine.garbage_yard import Pile, Yard
from modelkeep.core.engine.locks import project_lock
from modelkeep.core.engine.objectstore import object_of
from modelkeep.core.engine.transfer_plan import agree
from modelkeep.core.errors import ModelkeepError, NoRemote, Refused
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import Tree
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Change, Changes
from modelkeep.core.workflows import gc_sites
from modelkeep.core.workflows.gc_keep import Keep, Marking
from modelkeep.core.workflows.gc_remote import Far, check_git, plan_far, remove_far
from modelkeep.core.workflows.gc_story import Belonging, belongings, lists_in
from modelkeep.core.workflows.journal import FOLDER

__all__ = ["Belonging", "GcPlan", "Keep", "collect", "keep_days", "plan_gc", "purge", "set_keep_days", "undo"]

DAYS = 14
#: Seconds. In a cache that others use, or on a remote, what is younger may belong to somebody at work.
GRACE = 6 * 3600.0
_FRESH = 60.0  # seconds for which the answer of a remote is taken for its answer of now
_SETTING = "quarantine_days"


@dataclass(slots=True)
class GcPlan:
    """What a clean-up will do. `remove` are objects of the cache with their sizes, `only_here` those among the
    garbage that no remote was seen to have: they stay, unless `even_unpushed`, and then they are in `remove`, too.

    `belongs` tells of `remove` and `stays` of `only_here` which versions they belonged to. `expired` were put
    away long enough ago to be deleted for good, which frees `expired_bytes`. `warnings` are to be told
    loudly, and nothing is done without the user's plain yes to them.
    """

    keep: Keep
    marking: Marking
    days: int
    even_unpushed: bool
    remote: str | None
    remove: Sizes
    only_here: Sizes
    temps: Sizes
    staying: int
    young: int
    belongs: tuple[Belonging, ...]
    stays: tuple[Belonging, ...]
    expired: tuple[Pile, ...]
    expired_bytes: int
    far: Far | None
    asked: float
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def must_say_yes(self) -> str:
        """Why nothing is done without the user's plain yes; "" where no yes is needed."""
        return " ".join(self.warnings)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.remove or self.temps or self.expired or (self.far is not None and self.far.remove))


def keep_days(project: Project) -> int:
    """For how many days what is removed from a cache can be brought back."""
    days = project.settings.get(_SETTING, DAYS)
    return days if isinstance(days, int) and not isinstance(days, bool) and 0 <= days < 10_000 else DAYS


def set_keep_days(project: Project, days: int) -> None:
    """Choose that for all projects of this user; kept at once."""
    project.settings.put(_SETTING, days)
    project.settings.save()


# -- looking ---------------------------------------------------------------------------------------------


def plan_gc(
    project: Project,
    keep: Keep,
    *,
    cloud: bool = False,
    remote: str | None = None,
    even_unpushed: bool = False,
    force: bool = False,
    grace: float = GRACE,
    progress: Progress = SILENT,
) -> GcPlan:
    """Find out what can be removed; changes nothing. With `cloud` also from the remote, which is the default
    one unless `remote` names another; `force` then does it though refs of the Git remote were not fetched.

    Raises Refused for anything in the scope that cannot be read, or is unfinished.
    """
    marking = Marking(project, keep, lenient=not even_unpushed)
    far = None
    if cloud:
        far = plan_far(project, marking, remote, force=force, grace=grace, progress=progress)
    else:
        marking.mark(progress)
    sharing = gc_sites.sharing(project)
    found = _look(project, marking, grace if sharing else 0.0, progress)
    asked = time.monotonic()
    unproven, notes = _unproven(project, found.garbage, remote, progress)
    remove = found.garbage if even_unpushed else _without(found.garbage, unproven)
    days = keep_days(project)
    yard = _yard(project)
    expired = yard.expired(days)
    lists = lists_in(project.cache, found.garbage)
    progress = progress.child("Finding out what it belonged to")
    return GcPlan(
        keep=keep,
        marking=marking,
        days=days,
        even_unpushed=even_unpushed,
        remote=remote,
        remove=remove,
        only_here=unproven,
        temps=found.temps,
        staying=found.staying,
        young=found.young,
        belongs=belongings(project, remove, marking.kept, lists, progress),
        stays=belongings(project, unproven, marking.kept, lists, progress),
        expired=expired,
        expired_bytes=sum(sum(yard.content(pile.name).values()) for pile in expired),
        far=far,
        asked=asked,
        warnings=tuple(filter(None, [sharing, far.warning if far else ""])),
        notes=(*marking.notes, *notes, *(far.notes if far else ())),
    )


def _look(project: Project, marking: Marking, grace: float, progress: Progress) -> garbage.Found:
    root = os.fspath(project.cache.root)
    return garbage.look(root, marking.kept, progress.child("Looking through the cache"), grace=grace)


def _unproven(
    project: Project, objects: Sizes, remote: str | None, progress: Progress
) -> tuple[Sizes, list[str]]:
    """Those of `objects` that the remote, asked now, is not seen to have; and what to tell of it."""
    if not objects:
        return {}, []
    oids = {oid: size for key, size in objects.items() if (oid := object_of(key)) is not None}
    try:
        name = project.remote_config(remote).name
        with project.using_remote(name) as store:
            there = store.present(oids, progress.child(f"Asking {name}"))
    except NoRemote:
        return objects, ["No remote is set up, so nothing is known to be anywhere else."]
    except ModelkeepError as error:
        return objects, [f"The remote could not be asked, so nothing counts as being there: {error.title}"]
    return {oid.key: size for oid, size in oids.items() if not agree(oid, there.get(oid), size)}, []


def _without(objects: Sizes, others: Sizes) -> Sizes:
    return {key: size for key, size in objects.items() if key not in others}


def _yard(project: Project) -> Yard:
    """Objects are put away by renaming them: so on the disk that the cache is on."""
    cache, own = project.cache.root, project.root / ".dvc"
    place = project.root / FOLDER / "quarantine"
    if cache.is_dir() and os.stat(cache).st_dev != os.stat(own).st_dev:
        place = cache / ".modelkeep" / "quarantine"
    return Yard(place, cache)


# -- removing --------------------------------------------------------------------------------------------


def collect(project: Project, plan: GcPlan, *, yes: bool, progress: Progress = SILENT) -> Changes:
    """Carry out a plan, after looking again at everything under the locks of all who use the cache.

    What has come to be needed since stays. Raises Refused where a plain `yes` is needed and was not given, and
    what `plan_gc` raises; Busy where somebody else is at work.
    """
    if plan.must_say_yes and not yes:
        raise Refused(f"Nothing was removed. {plan.must_say_yes}", hint="If that is meant, say so: --yes")
    remove = plan.remove
    if not plan.even_unpushed and time.monotonic() - plan.asked > _FRESH:
        remove = _without(remove, _unproven(project, remove, plan.remote, progress)[0])
    with _locked(plan.marking.sites):
        before = plan.marking.sites
        if plan.far is not None:
            check_git(project, plan.marking, plan.far.force, progress)
        plan.marking.mark(progress)
        if {one.root for one in plan.marking.sites} - {one.root for one in before}:
            raise Refused("Another project began to use this cache meanwhile.", hint="Try again.")
        # The remote first: what stops it stops all, and what the cache has can still come back.
        gone = remove_far(project, plan.far, plan.marking, progress) if plan.far is not None else {}
        yard = _yard(project)
        freed = _delete(yard, [pile.name for pile in plan.expired], progress)
        keys = [key for key in remove if not plan.marking.kept.has_key(key)]
        phase = progress.child("Moving objects into quarantine", files=len(keys))
        pile, count = yard.put(keys, plan.keep.text, phase) if keys else ("", 0)
        _unlink(project, plan.temps)
    return _told(plan, keys, count, pile, freed, gone)


@contextmanager
def _locked(sites: Sequence[Project]) -> Iterator[None]:
    """Hold the locks of all these projects, and claim their folders: no `dvc repro` may be running either."""
    with ExitStack() as held:
        for site in sorted(sites, key=lambda one: str(one.root)):
            hardlink = site.config.flag("core", "hardlink_lock")
            lock = project_lock(site.root, hardlink, command="modelkeep gc", write=[site.root])
            held.enter_context(lock)
        yield


def _delete(yard: Yard, names: Sequence[str], progress: Progress) -> Sizes:
    freed: Sizes = {}
    for name in names:
        freed |= yard.delete(name, progress.child("Deleting what was removed long ago"))
    return freed


def _unlink(project: Project, temps: Sizes) -> None:
    tree = Tree(project.cache.root, system=True)
    for key in temps:
        tree.unlink(key)


def _told(plan: GcPlan, keys: Sequence[str], count: int, pile: str, freed: Sizes, gone: Sizes) -> Changes:
    size = sum(plan.remove[key] for key in keys)
    parts = [f"Moved {_objects(count)} of the cache into quarantine." if count else ""]
    parts.append(f"Removed {_objects(len(gone))} from {plan.far.remote}." if plan.far and gone else "")
    parts.append(f"Deleted {_objects(len(freed))} that were in quarantine." if freed else "")
    notes = list(plan.notes)
    if count:
        when = f"For {plan.days} days" if plan.days else "Until the next clean-up"
        notes.append(f"{when}, modelkeep gc --undo puts them back; modelkeep gc --purge frees the space now.")
    if plan.only_here and not plan.even_unpushed:
        notes.append(f"{_objects(len(plan.only_here))} stayed, because no remote was seen to have them.")
    return Changes(
        what=(Change.CACHE if count or freed else Change.NONE) | (Change.REMOTE if gone else Change.NONE),
        summary=" ".join(filter(None, parts)) or "There is nothing to remove.",
        files=count + len(gone),
        bytes=size + sum(gone.values()),
        notes=tuple(notes),
        details={
            "pile": pile,
            "from_cache": count,
            "from_remote": len(gone),
            "deleted": len(freed),
            "deleted_bytes": sum(freed.values()),
            "temporary_files": len(plan.temps),
        },
    )


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{count} objects"


# -- what was removed ------------------------------------------------------------------------------------


def undo(project: Project, progress: Progress = SILENT) -> Changes:
    """Put back what the last clean-up removed from the cache. Raises NotFound if nothing is left of any."""
    with _locked([project]):
        pile, back = _yard(project).undo(progress.child("Putting objects back"))
    return Changes(
        what=Change.CACHE,
        summary=f"Put {_objects(len(back))} back into the cache.",
        files=len(back),
        bytes=sum(back.values()),
        details={"pile": pile.name},
    )


def quarantined(project: Project) -> Sizes:
    """All that was removed and is still kept, by pile and key, with sizes."""
    yard = _yard(project)
    return {f"{p.name}/{key}": size for p in yard.piles() for key, size in yard.content(p.name).items()}


def purge(project: Project, progress: Progress = SILENT) -> Changes:
    """Delete for good, now, all that clean-ups removed from the cache."""
    with _locked([project]):
        yard = _yard(project)
        freed = _delete(yard, [pile.name for pile in yard.piles()], progress)
    return Changes(
        summary=f"Deleted {_objects(len(freed))} for good." if freed else "Nothing was in quarantine.",
        files=len(freed),
        bytes=sum(freed.values()),
    )
