"""What a clean-up keeps: everything that names objects is read, and whatever cannot be read stops it.

Beside the scope that was asked for, what only this machine knows stays: stashes, what is staged, commits that
only the reflog leads to, other working trees, other projects of the same repository that use the same cache,
and what a forced checkout replaced. Removes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from modelkeep.core.engine import garbage, replaced
from modelkeep.core.engine.garbage import Kept
from modelkeep.core.engine.objectstore import object_of
from modelkeep.core.engine.workspace_outputs import is_metafile, outputs_of
from modelkeep.core.errors import InvalidFile, ModelkeepError, NotFound, Refused
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import Tree, visible
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import ObjectId, Output, Problem, Version, VersionKind
from modelkeep.core.workflows import gc_sites, interrupted, publish_record
from modelkeep.core.workflows.gc_manifests import Manifests
from modelkeep.core.workflows.review import find_version


@dataclass(frozen=True, slots=True)
class Keep:
    """Which versions stay. The workspace, what is checked out and what is staged always do."""

    branches: bool = False
    tags: bool = False
    commits: bool = False
    revs: tuple[str, ...] = ()
    stashes: bool = True
    reflog: bool = True

    @property
    def text(self) -> str:
        """For people."""
        words = ["the workspace and what is checked out or staged"]
        words += ["all branches"] if self.branches and not self.commits else []
        words += ["all tags"] if self.tags and not self.commits else []
        words += ["all commits of all branches and tags"] if self.commits else []
        words += [visible(rev) for rev in self.revs]
        words += ["stashes"] if self.stashes else []
        words += ["commits that only the reflog knows"] if self.reflog else []
        return ", ".join(words)


class Marking:
    """One search for what stays, in `kept`. `notes` are to be told.

    `lenient` lets lists of files be missing that by design are neither here nor on the remote (imports, and
    what is never pushed): their files stay, because the remote does not have them. `advertised` are the refs of
    the Git remotes.
    """

    def __init__(self, project: Project, keep: Keep, *, lenient: bool) -> None:
        self.project = project
        self.keep = keep
        self.kept = Kept()
        self.advertised: Mapping[str, str] = {}
        self.sites: tuple[Project, ...] = (project,)
        self.notes: list[str] = []
        self._taken: set[ObjectId] = set()
        self._manifests = Manifests(project, self.kept, self.notes, lenient=lenient)

    def mark(self, progress: Progress = SILENT) -> None:
        """Look at everything that names objects as it is now, and add it to what is kept.

        Raises Refused for what cannot be read or is unfinished, naming file, commit and entry; and GitFailed,
        ConnectionLost and the like.
        """
        progress = progress.child("Reading what is kept")
        found = gc_sites.find(self.project)
        self.sites = found.on_disk
        for site in found.on_disk:
            progress.check()
            self._take_site(site)
        if self.project.history is not None:
            versions = self._versions()
            for history in found.histories:
                self._take_versions(history, versions, progress)
        self._manifests.read(progress)

    # -- on this disk --------------------------------------------------------------------------------------

    def _take_site(self, site: Project) -> None:
        refuse_unfinished(site)
        where = "the workspace" if site is self.project else str(site.root)
        now = site.workspace.outputs()
        unread = (Problem(visible(path) or ".", "It cannot be read.") for path in site.workspace.unread)
        self._take(now.outputs, (*now.problems, *unread), where)
        for out in now.outputs:
            for key in garbage.linked(str(site.root / out.path), str(self.project.cache.root)):
                if (oid := object_of(key)) is not None:
                    self.kept.add(oid)
        self._take_replaced(site)
        if site.history is not None:
            self._take_staged(site)

    def _take_replaced(self, site: Project) -> None:
        own = Tree(site.root, system=True)
        try:
            names = os.listdir(site.root / replaced.FOLDER)
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in sorted(one.removesuffix(".json") for one in names if one.endswith(".json")):
            try:
                record = replaced.read_record(own, name)
            except (InvalidFile, NotFound) as error:
                raise _unreadable(
                    f"{replaced.FOLDER}/{name}.json", "what was replaced", error.title
                ) from error
            for file in record.files.values():
                self.kept.add(file.oid)
            for path, text in record.metafiles.items():
                if path.endswith(".dvc"):
                    outputs, _ = outputs_of(path, lambda _, text=text: text.encode())  # type: ignore[misc]
                    self._take(outputs, (), "what was replaced")

    def _take_staged(self, site: Project) -> None:
        history = site.git()
        prefix = history.prefix
        staged = {
            path.removeprefix(prefix): blobs
            for path, blobs in history.roots().staged().items()
            if path.startswith(prefix)
        }
        nested = [
            f"{os.path.dirname(os.path.dirname(one))}/" for one in staged if one.endswith("/.dvc/config")
        ]
        names = [
            one
            for one in staged
            if is_metafile(one.rpartition("/")[2]) and not one.startswith((".dvc/", *nested))
        ]
        with history.objects() as objects:
            for turn in range(max((len(blobs) for blobs in staged.values()), default=0)):

                def read(path: str, turn: int = turn) -> bytes | None:
                    blobs = staged.get(path)
                    found = objects.read([blobs[min(turn, len(blobs) - 1)]])[0] if blobs else None
                    return found.data if found is not None else None

                for name in names:
                    if turn and len(staged[name]) == 1 and name.endswith(".dvc"):
                        continue
                    self._take(*outputs_of(name, read), "what is staged")

    # -- in Git ------------------------------------------------------------------------------------------------

    def _versions(self) -> list[Version]:
        """Everything in the scope, and what only this machine knows."""
        keep, history = self.keep, self.project.git()
        chosen = [find_version(self.project, rev) for rev in keep.revs]
        if keep.branches or keep.tags:
            listed = history.versions(commits_limit=0)
            chosen += listed.branches if keep.branches else ()
            chosen += listed.tags if keep.tags else ()
        chosen += history.all_commits() if keep.commits else ()
        roots = history.roots()
        tips = (*roots.tips(), *roots.commits(self._far_tips()))
        try:
            others = roots.unnamed(tips, stashes=keep.stashes, reflog=keep.reflog)
        except ModelkeepError as error:
            error.hint = error.hint or "If the reflog is damaged: --no-reflog leaves it out."
            raise
        ids = dict.fromkeys((*tips, *others))
        chosen += [Version(VersionKind.COMMIT, commit[:10], commit=commit) for commit in ids]
        return [one for one in chosen if one.commit]

    def _far_tips(self) -> list[str]:
        kinds = ["refs/heads/"] if self.keep.branches or self.keep.commits else []
        kinds += ["refs/tags/"] if self.keep.tags or self.keep.commits else []
        return [commit for ref, commit in self.advertised.items() if ref.startswith(tuple(kinds))]

    def _take_versions(self, site: gc_sites.InGit, versions: Iterable[Version], progress: Progress) -> None:
        single = list({one.commit: one for one in versions}.values())
        lost = site.history.roots().unreadable(
            (one.commit for one in single), site.history.prefix.rstrip("/")
        )
        if lost is not None:
            raise Refused(
                f"Nothing is removed, because Git cannot read the commit {lost}.",
                detail="What data it names is not known.",
                hint="If this is a partial or damaged copy, clone the repository anew.",
            )
        found = site.catalogue.snapshots(single, progress)
        for version in single:
            snapshot = found[version.key]
            self._take(snapshot.outputs, snapshot.problems, _where(version))

    def _take(self, outputs: Iterable[Output], problems: Iterable[Problem], where: str) -> None:
        for problem in problems:
            raise _unreadable(problem.file, where, problem.reason)
        for out in outputs:
            if not out.cached or out.oid is None or (out.oid in self._taken and not out.files):
                continue
            self._taken.add(out.oid)
            self.kept.add(out.oid)
            if out.files:
                self.kept.add_files((md5 for _, md5, _ in out.files), legacy=out.oid.legacy)
            elif out.oid.is_dir:
                self._manifests.want(out, where)


def refuse_unfinished(project: Project) -> None:
    """Raise Refused while a publish, restore or checkout waits to be finished: what it needs is not all named."""
    half = project.workspace.unfinished_checkout()
    told = ""
    if publish_record.read(project) is not None:
        told = "A publish was interrupted; modelkeep publish --resume finishes it, --undo takes it back."
    elif (switch := interrupted.found(project)) is not None:
        told = switch.text
    elif half is not None:
        told = half.text
    if told:
        raise Refused(
            "Nothing is removed while an operation is unfinished.", detail=told, hint="Finish it first."
        )


def _where(version: Version) -> str:
    short = version.commit[:10]
    return short if version.name == short else f"{visible(version.name)} ({short})"


def _unreadable(file: str, where: str, reason: str) -> Refused:
    return Refused(
        f"Nothing is removed, because {visible(file)} in {where} cannot be understood: {reason}",
        hint="What it names is not known. Mend it, or choose a scope without that version; --no-stash and "
        "--no-reflog leave out what only these know.",
        paths=(file,),
    )
