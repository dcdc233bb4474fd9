"""Old secrets out: found wherever they stand, in files and in Git's memory, and moved to where they belong."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import builders
import servers
from keyring_daemon import KeyringDaemon, keyring_daemon
from modelkeep.core.credentials import MemoryVault, Vault, open_vault
from modelkeep.core.engine import history_secrets
from modelkeep.core.errors import KeyringUnavailable, ModelkeepError, NotFound, Refused, Unsupported
from modelkeep.core.formats.config_secrets import find_secrets
from modelkeep.core.progress import Cancelled
from modelkeep.core.project import Project
from modelkeep.core.settings import KnownLogins
from modelkeep.core.values import Secret
from modelkeep.core.workflows import secrets
from people import Person
from recorder import recorder
from servers import SshServer

#: The keys of DVC's manual that hold secrets, by kind of remote (dvc-format §6.3).
KINDS = {
    "ssh": ("password", "passphrase"),
    "s3": ("access_key_id", "secret_access_key", "session_token", "sse_customer_key"),
    "azure": ("connection_string", "sas_token", "account_key", "client_secret"),
    "gdrive": ("gdrive_client_secret",),
    "oss": ("oss_key_id", "oss_key_secret"),
    "https": ("password", "custom_auth_header"),
    "webdavs": ("password", "token", "custom_auth_header"),
    "webhdfs": ("password", "token"),
}
PASSWORD = "canary-0-word"
ADDRESS = "me@lab.example:22"
LAB = "['remote \"lab\"']\n    url = ssh://me@lab.example/srv\n"


def canary(kind: str, key: str) -> str:
    return f"canary-{kind}-{key}"


def everything() -> str:
    lines = []
    for kind, keys in KINDS.items():
        lines += [f"['remote \"{kind}\"']", f"    url = {kind}://host/path"]
        lines += [f"    {key} = {canary(kind, key)}" for key in keys]
    return "\n".join([*lines, "['remote \"inurl\"']", "    url = https://me:canary-in-url@host/x", ""])


@pytest.fixture
def opened(project: Path) -> Iterator[Project]:
    one = Project.open(project, vault=MemoryVault(), questions=Person())
    yield one
    one.close()


def write(project: Project, level: str, text: str, home: Path) -> Path:
    """The config file of a level, with this text."""
    path = {
        "repo": project.root / ".dvc/config",
        "local": project.root / ".dvc/config.local",
        "global": home / ".config/dvc/config",
        "system": home / "dvc-system/config",
    }[level]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    project.reload()
    return path


# -- finding -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["system", "global", "repo", "local"])
def test_every_kind_of_secret_is_found_at_every_level(opened: Project, home: Path, level: str) -> None:
    write(opened, level, everything(), home)
    found = secrets.scan(opened, history=False)
    wanted = {(kind, key, kind) for kind, keys in KINDS.items() for key in keys} | {("inurl", "url", "https")}
    assert {(one.remote, one.key, one.kind) for one in found.found} == wanted
    assert {(one.level, one.in_git, one.in_history) for one in found.found} == {
        (level, level == "repo", False)
    }
    assert "canary" not in repr(found) + "".join(one.text for one in found.found)
    movable = {one.movable for one in found.found if one.kind != "ssh"}
    assert movable == ({"local", ""} if level == "repo" else {""})
    assert [one.movable for one in found.found if one.kind == "ssh" and one.key == "password"] == [
        "" if level == "system" else "keyring"
    ]


def test_what_is_commented_out_is_found_but_nothing_to_move(lab: Project, kept: Vault, home: Path) -> None:
    old = "    # password = canary-old\n    ;url = ssh://me:canary-url@lab.example/srv\n    # no = secret\n"
    path = lab.root / ".dvc/config"
    path.write_text(f"{LAB}    password = {PASSWORD}\n{old}    verify = true\n")
    builders.git(lab.root, "add", "--all")
    builders.make_commit(lab.root, {}, "x")
    write(lab, "repo", path.read_text().replace(";", "#"), home)
    found = secrets.scan(lab).found
    assert [(one.key, one.is_comment, one.movable, one.in_history) for one in found] == [
        ("password", False, "keyring", True),
        ("password", True, "", True),
        ("url", True, "", True),
    ]
    assert "The commented-out password of the remote lab stands in" in found[1].text
    secrets.migrate(lab, found)
    assert stored(kept) == PASSWORD and "canary" not in path.read_text()  # as in DVC, edits drop comments
    assert [one.is_comment for one in secrets.scan(lab).found].count(True) == 2, "the history has them"


def test_a_clean_project_has_none_and_its_own_config_is_ignored(opened: Project) -> None:
    found = secrets.scan(opened)
    assert found.found == () and found.local_is_ignored and found.history_searched
    (opened.root / ".dvc/.gitignore").write_text("/tmp\n")
    assert not secrets.scan(opened, history=False).local_is_ignored


@pytest.fixture(params=["every folder", "a long history"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of walking through a history."""
    if request.param == "a long history":
        monkeypatch.setattr(history_secrets, "FEW_COMMITS", 0)


def test_the_whole_history_is_searched(opened: Project, way: None) -> None:
    root = opened.root
    config = root / ".dvc/config"

    def commit(text: str, file: Path = config) -> str:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        builders.git(root, "add", "--force", "--all")
        return builders.make_commit(root, {}, "x")

    first = commit(LAB + "    password = canary-first\n")
    commit(LAB)
    builders.make_branch(root, "side", switch=True)
    commit(LAB + "    password = canary-side\n")
    commit(LAB)  # taken out again before the merge
    builders.git(root, "switch", "--quiet", "main")
    builders.git(root, "merge", "--quiet", "--no-ff", "--message", "m", "side")
    builders.make_branch(root, "tagged", switch=True)
    commit("['remote \"az\"']\n    url = azure://b/x\n    account_key = canary-tagged\n")
    builders.make_tag(root, "v1", "x")
    builders.git(root, "switch", "--quiet", "main")
    builders.git(root, "branch", "--quiet", "-D", "tagged")
    commit("['remote \"in\"']\n    url = http://me:canary-sub@h/x\n", root / "a b/.dvc/config")
    commit("[broken\n['remote \"lab\"']\n    password = 'canary-broken'\n", root / "a b/.dvc/config")
    commit(LAB + "    passphrase = canary-local\n", root / ".dvc/config.local")
    config.write_text(LAB + "    password = canary-stash\n")
    builders.git(root, "stash", "--quiet")
    found = secrets.scan(opened)
    assert {(one.place, one.key) for one in found.found if not one.level} == {
        (".dvc/config", "password"), (".dvc/config", "account_key"), ("a b/.dvc/config", "url"), ("a b/.dvc/config", "password"),
    }  # fmt: skip
    assert len([one for one in found.found if one.key == "password" and one.place == ".dvc/config"]) == 3
    local = next(one for one in found.in_files if one.key == "passphrase")
    assert local.in_git and local.in_history and local.level == "local", (
        "it is committed, and ignored no more"
    )
    assert first in {one.commit for one in found.found} and not found.local_is_ignored
    assert "canary" not in repr(found) + "".join(one.text for one in found.found)


def test_a_huge_or_linked_config_in_the_history_is_passed_over(opened: Project) -> None:
    root = opened.root
    (root / "x/.dvc").mkdir(parents=True)
    (root / "x/.dvc/config").write_bytes(b"password = canary\n" * 40_000)
    (root / "y/.dvc").mkdir(parents=True)
    (root / "y/.dvc/config").symlink_to("/etc/passwd:canary@")
    builders.make_commit(root, {}, "x")
    assert secrets.scan(opened).found == ()


@pytest.mark.parametrize(
    "text",
    [b":" * 200_000 + b"@", b"[" + b" " * 200_000 + b"@", b"password" + b" " * 200_000 + b"\n[", b"[a]\nx" + b" " * 3_000 + b"@",
     b"[a]\nurl = ssh://" + b"a:" * 100_000 + b"@h\n", b"[" * 200_000 + b"@", b"[a]\nx = " + b":@" * 100_000],
)  # fmt: skip
def test_a_text_made_to_keep_the_reader_busy_does_not(text: bytes) -> None:
    began = time.process_time()
    find_secrets(text)
    assert time.process_time() - began < 2, "the square of its length would be minutes"


# -- moving --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyringDaemon]:
    with keyring_daemon(tmp_path_factory.mktemp("kept") / "keyring", enter=False) as one:
        yield one


@pytest.fixture
def kept(daemon: KeyringDaemon, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """A real, unlocked keyring; what the tests put there is gone afterwards."""
    name = "DBUS_SESSION_BUS_ADDRESS"
    monkeypatch.setenv(name, daemon.environment[name])
    vault = open_vault()
    yield vault
    vault.forget(ADDRESS)


@pytest.fixture
def lab(project: Path, kept: Vault) -> Iterator[Project]:
    """A project with the remote `lab`, and a keyring."""
    (project / ".dvc/config").write_text(LAB)
    builders.make_commit(project, {}, "Use the lab")
    one = Project.open(project, vault=kept, questions=Person())
    yield one
    one.close()


def stored(vault: Vault, address: str = ADDRESS) -> str | None:
    secret = vault.get(address)
    return secret.reveal() if secret is not None else None


@pytest.mark.parametrize("level", ["global", "repo", "local"])
def test_a_password_goes_into_the_keyring_and_out_of_its_file(
    lab: Project, kept: Vault, home: Path, level: str
) -> None:
    url = "" if level == "repo" else LAB.splitlines()[1] + "\n"
    text = LAB + "    password = " if level == "repo" else f"['remote \"lab\"']\n{url}    password = "
    path = write(lab, level, text + PASSWORD + "\n    verify = true\n", home)
    path.chmod(0o644)
    done = secrets.migrate(lab)
    assert (
        stored(kept) == PASSWORD and PASSWORD not in path.read_text() and "verify = true" in path.read_text()
    )
    assert path.stat().st_mode & 0o777 == (0o644 if level == "repo" else 0o600)
    assert secrets.scan(lab, history=False).found == ()
    assert PASSWORD not in repr(done) and "keyring" in done.summary and "ask_password" in "".join(done.notes)
    with pytest.raises(NotFound):
        secrets.migrate(lab)


def test_a_password_in_the_address_goes_and_the_rest_stays_as_written(
    lab: Project, kept: Vault, home: Path
) -> None:
    text = LAB.replace("me@", f"me:{PASSWORD}@") + "['remote \"sub\"']\n    url = remote://lab/sub\n"
    path = write(lab, "repo", text, home)
    secrets.migrate(lab)
    assert path.read_text().split() == (LAB + "['remote \"sub\"']\n    url = remote://lab/sub\n").split()
    assert stored(kept) == PASSWORD


def test_what_the_user_wants_for_this_session_only_does_not_keep_it_from_the_keyring(
    lab: Project, kept: Vault, home: Path
) -> None:
    from modelkeep.gui.dialogs.keptvault import KeptVault

    path = write(lab, "local", f"['remote \"lab\"']\n    password = {PASSWORD}\n", home)
    lab.vault = KeptVault(kept, lambda address: False)
    secrets.migrate(lab)
    assert stored(kept) == PASSWORD and PASSWORD not in path.read_text()


def test_it_is_committed_only_if_asked(lab: Project, home: Path) -> None:
    builders.make_commit(lab.root, {".dvc/config": LAB + f"    password = {PASSWORD}\n"}, "Oh")
    lab.reload()
    head = builders.git(lab.root, "rev-parse", "HEAD")
    notes = secrets.migrate(lab).notes
    assert builders.git(lab.root, "rev-parse", "HEAD") == head and any(
        "public to everyone" in one for one in notes
    )
    (lab.root / ".dvc/config").write_text(LAB + f"    password = {PASSWORD}\n")
    lab.reload()
    builders.write_tree(lab.root, {"unsaved.py": "x"})
    secrets.migrate(lab, commit=True)
    assert builders.git(lab.root, "show", "--name-only", "--format=", "HEAD") == ".dvc/config"
    assert PASSWORD not in builders.git(lab.root, "show", "HEAD:.dvc/config")


def test_the_passphrase_of_a_key_goes_under_the_fingerprint_of_that_key(
    lab: Project, kept: Vault, home: Path
) -> None:
    key = servers.make_key(home / "key", passphrase=PASSWORD)
    path = write(
        lab, "local", f"['remote \"lab\"']\n    keyfile = {key}\n    passphrase = {PASSWORD}\n", home
    )
    secrets.migrate(lab)
    mark = builders.run("ssh-keygen", "-lf", f"{key}.pub").split()[1]
    assert (
        stored(kept, mark) == PASSWORD and PASSWORD not in path.read_text() and "keyfile" in path.read_text()
    )
    kept.forget(mark)


def test_what_cannot_be_used_yet_leaves_git_at_least(opened: Project, home: Path) -> None:
    text = "['remote \"b\"']\n    url = s3://b/x\n    secret_access_key = canary-s3\n    region = eu\n"
    path = write(opened, "repo", text, home)
    done = secrets.migrate(opened)
    local = opened.root / ".dvc/config.local"
    assert "canary" not in path.read_text() and "region = eu" in path.read_text()
    assert "secret_access_key = canary-s3" in local.read_text() and local.stat().st_mode & 0o777 == 0o600
    assert ".dvc/config.local" in done.summary
    assert builders.git(opened.root, "status", "--porcelain", "--untracked-files=all") == " M .dvc/config"


def test_nothing_is_moved_into_a_file_that_git_would_take(opened: Project, home: Path) -> None:
    (opened.root / ".dvc/.gitignore").write_text("/tmp\n")
    text = "['remote \"b\"']\n    url = s3://b/x\n    secret_access_key = canary-s3\n"
    path = write(opened, "repo", text, home)
    with pytest.raises(Refused, match="gitignore"):
        secrets.migrate(opened)
    assert path.read_text() == text


def test_a_password_goes_to_the_server_it_was_used_for_whatever_a_commit_says(
    lab: Project, kept: Vault, home: Path
) -> None:
    lab.accept_address("lab")
    write(lab, "repo", LAB.replace("lab.example", "evil.example"), home)
    write(lab, "local", f"['remote \"lab\"']\n    password = {PASSWORD}\n", home)
    secrets.migrate(lab)
    assert stored(kept) == PASSWORD and stored(kept, "me@evil.example:22") is None
    kept.forget(ADDRESS)
    KnownLogins.load().is_same(lab.root, "lab", "me@first.example:22")
    write(lab, "local", f"['remote \"lab\"']\n    password = {PASSWORD}\n", home)
    secrets.migrate(lab)
    assert stored(kept, "me@first.example:22") == PASSWORD and stored(kept) is None
    kept.forget("me@first.example:22")


def test_two_passwords_for_one_server_are_not_thrown_together(lab: Project, kept: Vault, home: Path) -> None:
    repo = write(lab, "repo", LAB + "    password = canary-weak\n", home)
    local = write(lab, "local", f"['remote \"lab\"']\n    password = {PASSWORD}\n", home)
    done = secrets.migrate(lab)
    assert stored(kept) == PASSWORD and PASSWORD not in local.read_text()
    assert "canary-weak" in repo.read_text() and any("stayed" in one for one in done.notes)
    kept.put(ADDRESS, Secret("newer"))
    with pytest.raises(Refused, match="stayed"):
        secrets.migrate(lab)
    assert stored(kept) == "newer" and "canary-weak" in repo.read_text()


def test_a_linked_config_of_the_user_loses_the_password_too(lab: Project, home: Path) -> None:
    real = home / "dotfiles/dvc"
    builders.write_tree(home, {"dotfiles/dvc": LAB + f"    password = {PASSWORD}\n"})
    (home / ".config/dvc").mkdir(parents=True)
    (home / ".config/dvc/config").symlink_to(real)
    lab.reload()
    secrets.migrate(lab)
    assert PASSWORD not in real.read_text() and (home / ".config/dvc/config").is_symlink()


# -- keyrings that do not help -------------------------------------------------------------------------


def with_password(project: Path) -> Path:
    (project / ".dvc/config").write_text(LAB)
    local = project / ".dvc/config.local"
    local.write_text(f"['remote \"lab\"']\n    password = {PASSWORD}\n")
    return local


def refuses(project: Path, vault: Vault, *words: str) -> None:
    """Nothing is moved, the file is as it was, and the password is still used for its server."""
    local = with_password(project)
    before = local.read_bytes()
    one = Project.open(project, vault=vault, questions=Person())
    with pytest.raises(KeyringUnavailable) as caught:
        secrets.migrate(one)
    assert local.read_bytes() == before and PASSWORD not in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    secret = one.credentials.password(ADDRESS, 1, "")
    assert secret is not None and secret.reveal() == PASSWORD
    one.close()


def test_no_keyring(project: Path) -> None:
    refuses(project, open_vault(), "no keyring")


def test_a_keyring_that_keeps_plain_text_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    refuses(project, open_vault(), "no keyring")


def test_a_locked_keyring_that_nobody_unlocks(project: Path, tmp_path: Path) -> None:
    with keyring_daemon(tmp_path / "k"):
        open_vault().put("a@b:22", Secret("x"))
    with keyring_daemon(tmp_path / "k", locked=True):
        refuses(project, open_vault(), "locked")


def test_a_keyring_that_waits_for_a_person(project: Path, keyring: KeyringDaemon) -> None:
    vault = open_vault(patience=0.5)
    assert vault.is_persistent
    vault.get(ADDRESS)
    keyring.freeze()
    refuses(project, vault, "did not answer")
    keyring.thaw()


# -- does the old one still work -----------------------------------------------------------------------


def in_history(project: Path, url: str, password: str) -> Project:
    """A project whose first commit gave a password away; it leads elsewhere since."""
    config = f"[core]\n    remote = lab\n['remote \"lab\"']\n    url = {url}\n    password = {password}\n"
    builders.make_commit(project, {".dvc/config": config}, "Oh")
    builders.make_commit(project, {".dvc/config": LAB}, "Moved")
    return Project.open(project, vault=MemoryVault(), questions=Person())


def test_an_old_password_is_tried_once_at_its_own_server(project: Path) -> None:
    with recorder() as server:
        one = in_history(project, f"ssh://ann@127.0.0.1:{server.port}/srv", PASSWORD)
        (finding,) = secrets.scan(one).in_history
        assert secrets.still_works(one, finding) is False
        assert server.heard == [(server.port, "ann", PASSWORD)]
        one.close()


def test_an_old_password_that_still_opens_the_server(project: Path, ssh_server: SshServer) -> None:
    if not ssh_server.shell.password:
        pytest.skip(servers.NO_ROOT)
    config = f"['remote \"lab\"']\n    url = {ssh_server.url()}\n    password = '{servers.PASSWORD}'\n"
    builders.make_commit(project, {".dvc/config": config}, "Oh")
    one = Project.open(project, vault=MemoryVault(), questions=Person())
    (finding,) = secrets.scan(one).in_history
    assert secrets.still_works(one, finding) is True
    one.close()


def test_a_host_on_the_way_is_not_given_the_old_password(project: Path, home: Path) -> None:
    with recorder() as server:
        jump = f"Host lab.example\n    ProxyJump bob@127.0.0.1:{server.other}\n"
        builders.write_tree(home / ".ssh", {"config": jump})
        one = in_history(project, "ssh://ann@lab.example/srv", PASSWORD)
        (finding,) = secrets.scan(one).in_history
        with pytest.raises((ModelkeepError, Cancelled)):
            secrets.still_works(one, finding)
        assert server.visits == {server.other: 1} and server.heard == []
        one.close()


def test_other_secrets_are_not_tried(project: Path) -> None:
    config = "['remote \"b\"']\n    url = s3://b/x\n    secret_access_key = canary\n"
    builders.make_commit(project, {".dvc/config": config}, "Oh")
    one = Project.open(project, vault=MemoryVault(), questions=Person())
    with pytest.raises(Unsupported):
        secrets.still_works(one, secrets.scan(one).found[0])
    one.close()


def test_findings_are_plain_values(opened: Project, home: Path) -> None:
    write(opened, "repo", everything(), home)
    for one in secrets.scan(opened).found:
        assert "canary" not in json.dumps([getattr(one, name) for name in type(one).__dataclass_fields__])
