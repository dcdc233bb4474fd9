"""Moves secrets out of config files: into the keyring, or at least out of Git.

The order is what protects them: kept, read back, and only then the file is rewritten (atomically, 0600 where it is
the user's own) and read again. Ended at any moment, the secret is in the new place or in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modelkeep.core.engine.addresses import first_login
from modelkeep.core.engine.configuration import change_config, read_levels
from modelkeep.core.errors import KeyringUnavailable, ModelkeepError, NotFound, Refused, StoreFailed
from modelkeep.core.formats.remoteurl import split_password
from modelkeep.core.keyfile import look_at
from modelkeep.core.paths import visible
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Change, Changes, Secret
from modelkeep.core.workflows.secrets_scan import (
    KEYRING,
    LOCAL,
    OUT_OF_GIT,
    REPO,
    Finding,
    HeldSecret,
    current,
    key_file,
    local_is_ignored,
    scan,
)

_STRONGEST = ("local", "repo", "global", "system")
_PLAIN_DVC = (
    "The dvc command asks for the password by itself now, once you say: "
    "dvc remote modify --local {name} ask_password true. With a key it needs none."
)
_PUBLIC = (
    "{what} is in the Git history: it is public to everyone with the repository. Change it on the server; "
    "modelkeep login --check-old tells whether the old one still works."
)


def migrate(
    project: Project,
    findings: Iterable[Finding] | None = None,
    *,
    commit: bool = False,
    progress: Progress = SILENT,
) -> Changes:
    """Move the secrets of `findings` (all that can be moved by default) to where each belongs.

    SSH passwords and passphrases go into the keyring; those of remotes that Modelkeep cannot use yet go from
    .dvc/config to .dvc/config.local. `commit` also commits .dvc/config. Raises, with nothing changed,
    KeyringUnavailable where no keyring keeps secrets beyond this run, Refused where config.local is not kept out of
    Git, NotFound where nothing can be moved.
    """
    found = tuple(findings) if findings is not None else scan(project, progress=progress).found
    wanted = {(one.level, one.section, one.key) for one in found if one.movable}
    held = [
        one
        for one in current(project)
        if one.finding.movable and (one.finding.level, one.finding.section, one.finding.key) in wanted
    ]
    if not held:
        raise NotFound("No secret that can be moved stands in a config file of this project.")
    move = _Move(project, sorted(held, key=lambda one: _STRONGEST.index(one.finding.level)), progress)
    move.refuse()
    move.keep()
    move.take_out()
    project.reload()
    return move.report(found, commit=commit)


class _Move:
    """One migration: `refuse`, `keep`, `take_out`, `report`, in this order."""

    def __init__(self, project: Project, held: Sequence[HeldSecret], progress: Progress) -> None:
        self.project = project
        self.held = held
        self.progress = progress
        self.kept: list[Finding] = []
        self.notes: list[str] = []

    def refuse(self) -> None:
        """Raise what stands in the way, before anything is changed."""
        kinds = {one.finding.movable for one in self.held}
        if KEYRING in kinds and not self.project.vault.is_persistent:
            raise KeyringUnavailable(
                "There is no keyring to move the password into.", detail=self.project.vault.describe()
            )
        if OUT_OF_GIT in kinds and not local_is_ignored(self.project):
            raise Refused(
                f"{LOCAL} is not kept out of Git, so nothing is moved into it.",
                hint="Add the line /config.local to .dvc/.gitignore, and take the file out of Git if it is in it.",
                paths=(LOCAL,),
            )

    def keep(self) -> None:
        """Put every secret in its new place and read it back from there."""
        names: dict[str, Secret] = {}
        for one in self.held:
            self.progress.check()
            if one.finding.movable == KEYRING and self._in_keyring(one, names):
                self.kept.append(one.finding)
        local = read_levels(self.project.root).get("local", {})
        for one in self.held:
            if one.finding.movable == OUT_OF_GIT and self._in_local(one, local):
                self.kept.append(one.finding)

    def _in_keyring(self, one: HeldSecret, names: dict[str, Secret]) -> bool:
        name = vault_name(self.project, one.finding)
        vault = self.project.vault.lasting
        known = names.get(name) or vault.get(name)
        if known is not None and known.reveal() != one.secret.reveal():
            self.notes.append(
                f"The secret in {visible(one.finding.place)} stayed: the keyring holds another one for {name}. Log in "
                f"once with the right one (modelkeep login {one.finding.remote}), then remove it there."
            )
            return False
        vault.put(name, one.secret)
        back = vault.get(name)
        if back is None or back.reveal() != one.secret.reveal():
            raise KeyringUnavailable("The keyring did not give the password back; nothing was removed.")
        names[name] = one.secret
        return True

    def _in_local(self, one: HeldSecret, local: dict[str, dict[str, str]]) -> bool:
        section, key = one.finding.section, one.finding.key
        known = local.get(section, {}).get(key)
        if known is None:
            change_config(self.project.root, "local", {(section, key): one.secret.reveal()})
            known = read_levels(self.project.root).get("local", {}).get(section, {}).get(key)
        if known == one.secret.reveal():
            return True
        self.notes.append(
            f"{key} of {section} stayed in {visible(one.finding.place)}: {LOCAL} holds another one. Remove the wrong one."
        )
        return False

    def take_out(self) -> None:
        """Rewrite each file without what was kept elsewhere, and look whether it is gone."""
        for level in _STRONGEST:
            mine = [one for one in self.kept if one.level == level]
            if mine:
                sections = read_levels(self.project.root).get(level, {})
                changes = {(one.section, one.key): _without(one, sections) for one in mine}
                change_config(self.project.root, level, changes)
        gone = {(one.level, one.section, one.key) for one in self.kept}
        left = [
            one.finding.place
            for one in current(self.project)
            if (one.finding.level, one.finding.section, one.finding.key) in gone
        ]
        if left:
            raise StoreFailed(f"The secret is kept elsewhere now, but it still stands in {visible(left[0])}.")

    def report(self, found: Sequence[Finding], *, commit: bool) -> Changes:
        """What was done, what is left to do, and the commit if it is wanted."""
        if not self.kept:
            raise Refused("Nothing was moved.", detail="\n".join(self.notes))
        names = list(dict.fromkeys(one.remote or one.section for one in self.kept))
        places = list(dict.fromkeys(one.place for one in self.kept))
        to_keyring = [one for one in self.kept if one.movable == KEYRING]
        notes = [*self.notes]
        if any(one.key != "passphrase" for one in to_keyring):
            notes.append(
                _PLAIN_DVC.format(name=next(one.remote for one in to_keyring if one.key != "passphrase"))
            )
        moved = {(one.section, one.key) for one in self.kept}
        if any(one.in_history and (one.section, one.key) in moved for one in found):
            notes.append(_PUBLIC.format(what=f"What stood in {' and '.join(places)}"))
        if REPO in places and self.project.history is not None:
            notes.append(self._committed() if commit else f"Commit {REPO} to share that it is gone.")
        where = (
            "the keyring"
            if len(to_keyring) == len(self.kept)
            else LOCAL
            if not to_keyring
            else "safer places"
        )
        return Changes(
            Change.CONFIG | (Change.REFS if commit else Change.NONE),
            f"Moved what {', '.join(map(visible, names))} logs in with from {' and '.join(map(visible, places))} "
            f"into {where}.",
            paths=tuple(one for one in places if one in (REPO, LOCAL)),
            notes=tuple(notes),
            same_as=("modelkeep login --migrate",),
        )

    def _committed(self) -> str:
        try:
            self.project.git().commit([REPO], "Take a secret out of the DVC configuration", self.progress)
        except ModelkeepError as error:
            return f"{REPO} is not committed yet: {error.title}"
        return f"{REPO} is committed."


def _without(finding: Finding, sections: dict[str, dict[str, str]]) -> str | None:
    """What the key holds afterwards: an address loses its password, anything else goes."""
    return split_password(sections[finding.section]["url"])[0] if finding.key == "url" else None


def vault_name(project: Project, finding: Finding) -> str:
    """What the keyring binds a secret to: user@host:port, or the fingerprint of the key it unlocks.

    A password belongs to the server the remote led to at its first use, whatever the repository says since.
    """
    if finding.key == "passphrase":
        key = look_at(key_file(project, finding.remote))
        return key.mark if key is not None else ""
    return first_login(project.root, finding.remote) or project.address(finding.remote) or ""
