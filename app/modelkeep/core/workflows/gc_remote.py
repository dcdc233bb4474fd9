"""The half of a clean-up that removes objects from a remote: for good, so with more questions before it.

The Git remotes are asked whether they have versions that this clone does not know; what came to the remote a
short while ago stays, with all that young lists of files name; and right before anything is removed the remote
is asked again, because a colleague may be sending data at this moment.
"""

from __future__ import annotations

from collections.abc import Iterable

from modelkeep.core.engine.garbage import Kept, Sizes
from modelkeep.core.engine.objectstore import ObjectStore, object_of
from modelkeep.core.errors import ModelkeepError, Refused
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import visible
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Manifest, ObjectId
from modelkeep.core.workflows.gc_keep import Marking
from modelkeep.core.workflows.gc_story import Belonging, Hashes, belongings, lists_in

_LISTS = 200  # lists of files that are read there, one by one, only to tell what they are of


@dataclass(frozen=True, slots=True)
class Far:
    """What will be removed from `remote`, of which `only_there` objects are not in the cache.

    `listed` is all that was there, `staying` how much of it stays because it is kept, and `young` how much
    because it came a short while ago. `force` is to go on though Git remotes have more than was fetched.
    """

    remote: str
    where: str
    listed: frozenset[str]
    remove: Sizes
    only_there: Sizes
    belongs: tuple[Belonging, ...]
    staying: int
    young: int
    force: bool
    notes: tuple[str, ...]

    @property
    def warning(self) -> str:
        """What everybody must know before anything is removed from a remote; "" if nothing would be."""
        if not self.remove:
            return ""
        return (
            f"What is removed from {self.remote} is gone for everybody, and cannot be put back: colleagues lose "
            "the data of versions that are not in the branches and tags of this clone (git fetch first!), and "
            "other projects that use that remote lose theirs."
        )


def plan_far(
    project: Project, marking: Marking, name: str | None, *, force: bool, grace: float, progress: Progress
) -> Far:
    """Mark what is kept, and find what of the remote is not. Raises Refused, ConnectionLost and the like."""
    notes = check_git(project, marking, force, progress)
    marking.mark(progress)
    remote = project.remote_config(name).name
    with project.using_remote(name) as store:
        asking = progress.child(f"Asking {remote}")
        listed = store.listing(asking)
        garbage = _garbage(listed, marking.kept)
        young = _young(store, garbage, grace, asking)
        _keep_young(store, young, marking.kept, asking)
        remove = _garbage(garbage, marking.kept)
        here = project.cache.present(_oids(remove))
        where = store.store.describe()
        cached = {oid.key for oid in here}
        told = belongings(project, remove, marking.kept, _lists(project, store, remove, cached), asking)
    return Far(
        remote=remote,
        where=where,
        listed=frozenset(listed),
        remove=remove,
        only_there={key: size for key, size in remove.items() if key not in cached},
        belongs=told,
        staying=len(listed) - len(remove),
        young=len(young),
        force=force,
        notes=tuple(notes),
    )


def remove_far(project: Project, far: Far, marking: Marking, progress: Progress) -> Sizes:
    """Remove what was planned and is still not needed, lists of files first; return what is gone.

    `marking` has just looked at everything again. Raises Refused if the remote or Git has got something new.
    """
    if not far.remove:
        return {}
    with project.using_remote(far.remote) as store:
        asking = progress.child(f"Asking {far.remote} again")
        now = store.listing(asking)
        new = [key for key in now if key not in far.listed and not marking.kept.has_key(key)]
        if new:
            raise Refused(
                f"Nothing was removed: somebody is sending data to {far.remote} at this moment.",
                detail=f"Objects that came since the plan was made: {len(new)}",
                hint="Wait until that is done and their commits are pushed, then git fetch and try again.",
            )
        gone = {key: size for key, size in _garbage(now, marking.kept).items() if key in far.remove}
        phase = progress.child(f"Removing from {far.remote}", files=len(gone))
        project.forget_listing(far.remote)
        for are_lists in (True, False):
            keys = sorted(key for key in gone if key.endswith(".dir") == are_lists)
            store.store.delete_many(keys, progress=phase)
    return gone


# -- Git -------------------------------------------------------------------------------------------------


def check_git(project: Project, marking: Marking, force: bool, progress: Progress) -> list[str]:
    """Make sure that this clone knows all versions there are, and let `marking` know them. Returns what was
    passed over by `force`."""
    if project.history is None:
        return []
    history = project.git()
    roots = history.roots()
    problems = (
        ["This clone has only the newest part of the history (it is shallow)."] if roots.is_shallow else []
    )
    remotes = history.remotes()
    if not remotes:
        marking.notes.append("There is no Git remote to ask: versions of other clones are not known here.")
    for remote in remotes:
        try:
            refs = history.remote_refs(remote, progress.child(f"Asking the Git remote {remote}"))
        except ModelkeepError as error:
            problems.append(f"The Git remote {visible(remote)} could not be asked: {error.title}")
            continue
        refs = {ref: one for ref, one in refs.items() if ref.startswith(("refs/heads/", "refs/tags/"))}
        unknown = set(roots.lacking(refs.values()))
        names = [visible(ref.split("/", 2)[2]) for ref, one in refs.items() if one in unknown]
        if names:
            names = list(dict.fromkeys(one.removesuffix("^{}") for one in names))
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            problems.append(
                f"The Git remote {visible(remote)} has versions that this clone has not fetched: "
                f"{', '.join(names[:5])}{more}."
            )
        marking.advertised = {**marking.advertised, **{f"{ref}": one for ref, one in refs.items()}}
    if problems and not force:
        raise Refused(
            "Nothing is removed from a remote while this clone may not know all versions that need it.",
            detail="\n".join(problems),
            hint="git fetch first (--unshallow for a shallow clone). To do it nevertheless: --force",
        )
    return problems


# -- the remote ------------------------------------------------------------------------------------------


def _garbage(keys: Sizes, kept: Kept) -> Sizes:
    return {key: size for key, size in keys.items() if not kept.has_key(key)}


def _lists(project: Project, store: ObjectStore, there: Sizes, cached: set[str]) -> Hashes:
    """Reads lists of files in the cache, else on the remote."""
    near, far = lists_in(project.cache, cached), lists_in(store, there, _LISTS)
    return lambda oid: near(oid) or far(oid)


def _oids(keys: Iterable[str]) -> list[ObjectId]:
    return [oid for key in keys if (oid := object_of(key)) is not None]


def _young(store: ObjectStore, garbage: Sizes, grace: float, progress: Progress) -> set[str]:
    """Those of `garbage` that came less than `grace` seconds ago, by the clock of the remote itself."""
    if not garbage or not grace:
        return set()
    limit = store.store.clock() - grace
    times = store.store.modified(garbage, progress=progress)
    return {key for key in garbage if times.get(key, limit + 1) > limit}


def _keep_young(store: ObjectStore, young: set[str], kept: Kept, progress: Progress) -> None:
    """Keep what came a short while ago, and the files of such lists: somebody's version may be on its way."""
    oids = _oids(young)
    found = store.manifests([oid for oid in oids if oid.is_dir], progress)
    for oid in oids:
        kept.add(oid)
        manifest = found.get(oid)
        if isinstance(manifest, Manifest):
            kept.add_files((entry.hash for entry in manifest.entries), legacy=oid.legacy)
