"""A repository changes where its data goes, or asks for what only the user may choose: no password reaches it.

Every case was a commit, a branch or an edit of a project whose remote `lab` the user has used before. The server on
the other end is trusted by a careless person and writes down every password; it gets none, also when that person
says yes to the new address.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import builders
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.errors import AddressChanged, ModelkeepError
from modelkeep.core.progress import Cancelled
from modelkeep.core.project import Project
from modelkeep.core.settings import KnownAddresses, KnownLogins
from modelkeep.core.values import Secret
from people import Person
from recorder import Recorder, recorder

VAULT, LOCAL, GLOBAL = "canary-in-the-vault", "canary-in-config-local", "canary-of-all-projects"


@dataclass(frozen=True)
class Attack:
    """What `.dvc/config` says after the change. `same_server`: its own password may go there, as before.

    `asks`: a changed address, which is a question before anything connects.
    """

    text: str
    same_server: bool = False
    asks: bool = True
    local: str = ""  # a config.local that comes with the commit


def _lab(url: str, *more: str, first: str = "lab") -> str:
    lines = ["[core]", f"    remote = {first}", "['remote \"lab\"']", f"    url = {url}"]
    return "\n".join([*lines, *(f"    {line}" for line in more)]) + "\n"


EVIL = "ssh://ann@127.0.0.1:{evil}/srv"
GOOD = "ssh://ann@127.0.0.1:{good}/srv"
OTHER_NAME = "\n['remote \"new\"']\n    url = " + EVIL + "\n"
ADDRESSES = {
    "port": Attack(_lab(EVIL)),
    "host": Attack(_lab("ssh://ann@localhost:{evil}/srv")),
    "user": Attack(_lab("ssh://root@127.0.0.1:{good}/srv")),
    "path": Attack(_lab(GOOD + "/of/somebody/else"), same_server=True),
    "port option": Attack(_lab("ssh://ann@127.0.0.1/srv", "port = {evil}")),
    "user option": Attack(_lab(GOOD, "user = root")),
    "new default": Attack(_lab(GOOD, first="new") + OTHER_NAME),
    "inherited": Attack("[core]\n    remote = lab\n['remote \"base\"']\n    url = " + EVIL + "\n"
                        "['remote \"lab\"']\n    url = remote://base/x\n"),
    "inherited port": Attack(_lab(GOOD, first="sub") + "['remote \"sub\"']\n    url = remote://lab/x\n    port = {evil}\n"),
    "folder": Attack(_lab("../../elsewhere")),
}  # fmt: skip
#: Every key of safety §5.2, each at the changed address.
KEYS = {
    "password": Attack(_lab(EVIL, "password = theirs")),
    "password in the url": Attack(_lab("ssh://ann:theirs@127.0.0.1:{evil}/srv")),
    "passphrase": Attack(_lab(EVIL, "passphrase = theirs")),
    "keyfile": Attack(_lab(EVIL, "keyfile = ../key")),
    "gss_auth": Attack(_lab(EVIL, "gss_auth = true")),
    "allow_agent": Attack(_lab(EVIL, "allow_agent = true")),
    "ask_password": Attack(_lab(EVIL, "ask_password = true", "ask_passphrase = true")),
    "verify off": Attack(_lab(EVIL, "verify = false")),
    "no Git": Attack("[core]\n    no_scm = true\n    remote = lab\n['remote \"lab\"']\n    url = " + EVIL + "\n",
                     local="['remote \"lab\"']\n    keyfile = ../key\n[cache]\n    dir = /elsewhere\n"),
    "its own config.local": Attack(_lab(EVIL), local="['remote \"lab\"']\n    keyfile = ../key\n"),
    "the user's own remote": Attack(_lab(GOOD, first="mine") + "['remote \"mine\"']\n    url = " + EVIL + "\n"),
    "cache elsewhere": Attack(_lab(EVIL) + "[cache]\n    dir = /elsewhere\n    type = symlink\n    shared = group\n"),
    "s3 profile": Attack(_lab("s3://b/x", "endpointurl = http://127.0.0.1:{evil}", "profile = default")),
    "s3 files": Attack(_lab("s3://b/x", "credentialpath = ../c", "configpath = ../c", "ssl_verify = false")),
    "gs": Attack(_lab("gs://b/x", "credentialpath = ../c", "endpointurl = http://127.0.0.1:{evil}")),
    "http": Attack(_lab("http://127.0.0.1:{evil}/x", "ssl_verify = false", "custom_auth_header = X", "auth = basic")),
    "webdav command": Attack(_lab("webdav://127.0.0.1:{evil}/x", "bearer_token_command = touch marker")),
    "webdav keys": Attack(_lab("webdav://127.0.0.1:{evil}/x", "cert_path = ../c", "key_path = ../k")),
    "webhdfs proxy": Attack(_lab("webhdfs://127.0.0.1:{evil}/x", "proxy_to = evil", "data_proxy_target = evil")),
    "hdfs ticket": Attack(_lab("hdfs://127.0.0.1:{evil}/x", "kerb_ticket = ../t")),
    "gdrive": Attack(_lab("gdrive://x/y", "gdrive_user_credentials_file = ../c")),
    "option as host": Attack(_lab("ssh://-oProxyCommand=touch%20marker/srv")),
    "option as user": Attack(_lab("ssh://-oProxyCommand=x@127.0.0.1:{evil}/srv")),
    "file address": Attack(_lab("file:///etc")),
    "git folder": Attack(_lab("../.git")),
    "ssh folder": Attack(_lab("~/.ssh")),
}  # fmt: skip
CASES = [(f"{name}, by commit", attack, "commit") for name, attack in (ADDRESSES | KEYS).items()]
CASES += [
    (f"{name}, by {way}", ADDRESSES[name], way)
    for name in ("port", "user", "path", "new default", "inherited port")
    for way in ("branch", "edit")
]


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 40


@pytest.fixture(scope="module")
def server() -> Iterator[Recorder]:
    with recorder() as one:
        yield one


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, server: Recorder) -> Path:
    """A project whose remote is on the server, committed."""
    folder = builders.make_project(tmp_path_factory.mktemp("hostile") / "project")
    _write(folder, _lab(GOOD), server)
    builders.make_commit(folder, {}, "Use the lab")
    shutil.rmtree(folder / ".git/hooks", ignore_errors=True)
    return folder


def _write(folder: Path, text: str, server: Recorder) -> None:
    (folder / ".dvc/config").write_text(text.format(good=server.port, evil=server.other))


@pytest.fixture
def folder(template: Path, tmp_path: Path, server: Recorder, home: Path) -> Path:
    """A copy of the project, with passwords in the user's own files."""
    copy = tmp_path / "project"
    shutil.copytree(template, copy)
    (copy / ".dvc/config.local").write_text(f"['remote \"lab\"']\n    password = {LOCAL}\n")
    mine = f"['remote \"mine\"']\n    url = ssh://ann@127.0.0.1:{server.port}/mine\n    password = {GLOBAL}\n"
    builders.write_tree(home / ".config/dvc", {"config": mine})
    server.forget()
    return copy


def opened(folder: Path, person: Person, server: Recorder) -> Project:
    vault = MemoryVault()
    vault.put(f"ann@127.0.0.1:{server.port}", Secret(VAULT))
    return Project.open(folder, vault=vault, questions=person)


def change(folder: Path, attack: Attack, way: str, server: Recorder) -> None:
    """Let the attack arrive."""
    if way == "branch":
        builders.make_branch(folder, "theirs", switch=True)
    if attack.local:
        (folder / ".dvc/config.local").write_text(attack.local)
        builders.git(folder, "add", "--force", ".dvc/config.local")
    _write(folder, attack.text, server)
    if way != "edit":
        builders.git(folder, "commit", "--quiet", "--all", "--message", "Theirs")
    if way == "branch":
        builders.git(folder, "switch", "--quiet", "main")
        builders.git(folder, "switch", "--quiet", "theirs")


def use(folder: Path, person: Person, server: Recorder) -> Exception | None:
    """Use the default remote as every command does; returns what stopped it."""
    try:
        project = opened(folder, person, server)
    except ModelkeepError as error:
        return error
    try:
        with project.using_remote() as remote:
            remote.store.sizes(["files"])
    except (ModelkeepError, Cancelled) as error:
        return error
    finally:
        project.close()
    return None


def know(folder: Path, server: Recorder) -> None:
    """The user has used the remote, by its name and as the default, and its password, before."""
    for name in ("lab", ""):
        KnownAddresses.accept(folder, name, f"ssh://ann@127.0.0.1:{server.port}/srv")
    KnownLogins.load().is_same(folder, "lab", f"ann@127.0.0.1:{server.port}")


@pytest.mark.parametrize(("attack", "way"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_no_password_is_heard(folder: Path, server: Recorder, attack: Attack, way: str) -> None:
    know(folder, server)
    change(folder, attack, way, server)
    careful, careless = Person(moves=False), Person()
    stopped = use(folder, careful, server)
    assert stopped is not None and server.visits == {} and server.heard == []
    if any(kind == "address" for kind, *_ in careful.asked):
        assert isinstance(stopped, AddressChanged)
    use(folder, careless, server)
    heard = [(port, word) for port, _, word in server.heard]
    allowed = [(server.port, VAULT)] if attack.same_server else []
    assert [one for one in heard if one not in allowed] == []
    assert not (folder / "marker").exists()


def test_the_server_hears_the_password_of_its_own_address(folder: Path, server: Recorder) -> None:
    """Else nothing here would prove anything."""
    know(folder, server)
    person = Person()
    use(folder, person, server)
    assert server.heard == [(server.port, "ann", VAULT)]
    assert [kind for kind, *_ in person.asked if kind == "address"] == []


@pytest.mark.parametrize("name", ["port", "user", "inherited", "port option", "keyfile", "new default"])
def test_a_password_that_modelkeep_never_used_stays_where_it_was_made_for(
    folder: Path, server: Recorder, name: str
) -> None:
    """Modelkeep is new here, and the address was changed before: the history tells."""
    change(folder, {**ADDRESSES, **KEYS}[name], "commit", server)
    careful = Person(moves=False)
    stopped = use(folder, careful, server)
    use(folder, Person(), server)
    assert server.heard == []
    assert isinstance(stopped, AddressChanged) == (name != "new default")


def test_an_address_of_the_users_own_that_rests_on_the_repositorys_is_not_his_own(
    folder: Path, server: Recorder
) -> None:
    (folder / ".dvc/config.local").write_text(
        f"['remote \"lab\"']\n    url = remote://base/x\n    password = {LOCAL}\n"
    )
    _write(folder, "[core]\n    remote = lab\n['remote \"base\"']\n    url = " + GOOD + "\n", server)
    know(folder, server)
    _write(folder, "[core]\n    remote = lab\n['remote \"base\"']\n    url = " + EVIL + "\n", server)
    use(folder, Person(), server)
    assert server.visits and server.heard == []


def test_another_version_with_another_default_is_a_question_too(folder: Path, server: Recorder) -> None:
    know(folder, server)
    text = ADDRESSES["new default"].text.format(good=server.port, evil=server.other).encode()
    project = opened(folder, Person(moves=False), server)
    with pytest.raises(AddressChanged), project.using_remote(None, project.config_with(text)):
        pass
    project.close()
    assert server.visits == {}


def test_yes_is_kept_and_a_way_back_is_a_question_again(folder: Path, server: Recorder) -> None:
    know(folder, server)
    _write(folder, ADDRESSES["port"].text, server)
    for asked in (1, 0):
        person = Person()
        use(folder, person, server)
        assert [kind for kind, *_ in person.asked].count("address") == asked
    _write(folder, _lab(GOOD), server)
    person = Person(moves=False)
    assert isinstance(use(folder, person, server), AddressChanged)
    assert person.asked == [
        (
            "address",
            "lab",
            f"ssh://ann@127.0.0.1:{server.other}/srv",
            f"ssh://ann@127.0.0.1:{server.port}/srv",
        )
    ]


def test_what_was_known_is_in_one_file_of_the_users_own(folder: Path, server: Recorder, home: Path) -> None:
    use(folder, Person(), server)
    file = home / "modelkeep/addresses.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert KnownAddresses.load().of(folder, "lab") == (f"ssh://ann@127.0.0.1:{server.port}/srv",)
    assert VAULT not in file.read_text() and LOCAL not in file.read_text()


def test_what_is_ignored_is_told_with_a_reason(folder: Path, server: Recorder) -> None:
    _write(folder, KEYS["cache elsewhere"].text, server)
    with (folder / ".dvc/config").open("a") as file:
        file.write("['remote \"x\"']\n    url = ssh://h/x\n    keyfile = k\n    verify = false\n")
    project = opened(folder, Person(), server)
    found = {(one.remote, one.key) for one in project.config.ignored()}
    assert found == {
        ("", "cache.dir"),
        ("", "cache.type"),
        ("", "cache.shared"),
        ("x", "keyfile"),
        ("x", "verify"),
    }
    assert all(one.why.endswith(".") for one in project.config.ignored())
    assert project.cache_folder == folder / ".dvc/cache"
    project.close()


def test_a_project_that_says_it_has_no_git_chooses_nothing_either(folder: Path, server: Recorder) -> None:
    change(folder, KEYS["no Git"], "commit", server)
    project = opened(folder, Person(), server)
    assert project.history is None and project.cache_folder == folder / ".dvc/cache"
    assert "keyfile" not in project.remote_config("lab").options
    project.close()
