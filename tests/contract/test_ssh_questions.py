"""What a server may ask, what it gets, and what is shown to people: 2FA in rounds, passwords once, nothing else."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import servers
from contract.conftest import SHORT, spec_of
from hostile_ssh import HostileServer, Round, Script, hostile_server
from modelkeep.core.errors import ConnectionLost, LoginFailed, LoginNeeded, StoreFailed
from modelkeep.core.nouns import replace
from modelkeep.core.progress import Cancelled
from modelkeep.core.stores import ssh_identity
from modelkeep.core.stores.limits import Limits
from modelkeep.core.stores.registry import open_store
from modelkeep.core.stores.ssh_auth import Keys
from modelkeep.core.stores.ssh_config import resolve
from modelkeep.core.stores.ssh_connect import Connection
from modelkeep.core.stores.ssh_stages import Stage

logging.getLogger("tests.hostile").addHandler(logging.NullHandler())
logging.getLogger("tests.hostile").propagate = False
_CODE = Round([("Verification code: ", False)], ["123456"])
_PASSWORD = Round([("Password: ", False)], ["right"])


@pytest.fixture(scope="module")
def host_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return servers.make_key(tmp_path_factory.mktemp("hostile") / "host")


@pytest.fixture
def server(host_key: Path, home: Path) -> Iterator[HostileServer]:
    """A server that is known; its script is set by the test."""
    ssh_identity.forget_trust()
    with hostile_server(host_key, Script()) as found:
        (home / ".ssh").mkdir()
        (home / ".ssh" / "known_hosts").write_text(found.known_hosts)
        yield found


def log_in(
    server: HostileServer, login: servers.Login, key: Path | None = None, *, limits: Limits = SHORT
) -> str:
    """Log in and say how."""
    facts: dict[Stage, str] = {}
    keys = Keys(str(key or ""), use_agent=False)
    route = resolve("127.0.0.1", "ann", server.port)
    Connection(replace(route, default_keys=()), keys, login, limits, reached=facts.__setitem__).close()
    return facts[Stage.LOGGED_IN]


# -- several rounds and several steps ------------------------------------------------------------------


def test_a_password_and_then_a_code(server: HostileServer) -> None:
    server.script = Script(["keyboard-interactive"], rounds=[_PASSWORD, _CODE])
    login = servers.Login("right", answers=(("123456",),))
    assert log_in(server, login) == "questions"
    assert server.seen.secrets == [("answer", "right"), ("answer", "123456")]
    assert login.kinds() == ["password", "answers", "accepted"]
    assert login.asked[1] == ("answers", "", "", ("Verification code:", False))


def test_a_key_and_then_a_code(server: HostileServer, tmp_path: Path) -> None:
    """The hidden question after a key is for a code: the password that is kept does not belong there."""
    server.script = Script(["publickey", "keyboard-interactive"], rounds=[_CODE])
    login = servers.Login("secret", answers=(("123456",),))
    key = servers.make_key(tmp_path / "key")
    assert log_in(server, login, key) == f"key {key} + questions"
    assert server.seen.secrets == [("answer", "123456")]
    assert login.kinds() == ["answers"]


def test_a_password_and_then_questions(server: HostileServer) -> None:
    two = Round(
        [("Your cat: ", True), ("PIN: ", False)], ["Tom", "0000"], "Lab", "Second step.\nTwo questions."
    )
    server.script = Script(["password", "keyboard-interactive"], rounds=[two])
    login = servers.Login("right", answers=(("Tom", "0000"),))
    assert log_in(server, login) == "password + questions"
    asked = ("answers", "Lab", "Second step.\nTwo questions.", ("Your cat:", True), ("PIN:", False))
    assert asked in login.asked


def test_a_round_without_questions_is_a_message(server: HostileServer) -> None:
    """While the server waits for a telephone, so do we, for longer than for any other answer."""
    push = Round([], None, "Duo", "Pushed a request to your phone …", pause=1.5)
    server.script = Script(["keyboard-interactive"], rounds=[push, Round([], None)])
    login = servers.Login()
    log_in(server, login, limits=replace(SHORT, auth=0.7))
    assert login.said == ["127.0.0.1 says: Duo\nPushed a request to your phone …", "", ""]
    assert login.asked == [] and server.seen.secrets == []


def test_a_wrong_code_may_be_corrected_and_the_third_is_the_last(server: HostileServer) -> None:
    server.script = Script(["keyboard-interactive"], rounds=[_CODE])
    assert log_in(server, servers.Login(answers=(("1",), ("123456",)))) == "questions"
    login = servers.Login(answers=(("1",), ("2",), ("3",), ("123456",)))
    with pytest.raises(LoginFailed, match="further step of the login") as caught:
        log_in(server, login)
    assert caught.value.reason == "second_factor" and "half a minute" in caught.value.hint
    assert login.kinds() == ["answers"] * 3


def test_a_refused_code_after_a_key_says_what_was_right(server: HostileServer, tmp_path: Path) -> None:
    server.script = Script(["publickey", "keyboard-interactive"], rounds=[_CODE])
    key = servers.make_key(tmp_path / "key")
    with pytest.raises(LoginFailed) as caught:
        log_in(server, servers.Login(answers=(("1",), ("2",), ("3",))), key)
    assert caught.value.reason == "second_factor"
    assert f"Right so far: key {key}." in caught.value.detail


def test_two_keys_one_after_the_other(server: HostileServer, home: Path, tmp_path: Path) -> None:
    server.script = Script(["publickey", "publickey"])
    first, second = servers.make_key(tmp_path / "first"), servers.make_key(tmp_path / "second")
    (home / ".ssh/config").write_text(f"Host *\n IdentityFile {second}\n")
    assert log_in(server, servers.Login(), first) == f"key {first} + key {second}"
    assert len(set(server.seen.keys)) == 2


# -- what a stored password is for ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "prompts",
    [
        [("Password: ", True)],  # would be shown
        [("Password: ", False), ("Code: ", False)],
        [("Password and code: ", False)],
        [("One-time token: ", False)],
        [("Enter PASSCODE or 'push': ", False)],
    ],
)
def test_a_password_that_is_kept_fills_only_a_hidden_question_for_one(
    server: HostileServer, prompts: list[tuple[str, bool]]
) -> None:
    server.script = Script(["keyboard-interactive"], rounds=[Round(prompts)])
    login = servers.Login("kept")
    with pytest.raises(Cancelled):
        log_in(server, login)
    assert server.seen.secrets == [] and login.kinds() == ["answers"]


def test_it_is_never_filled_twice(server: HostileServer) -> None:
    again = Round([("Password for other service: ", False)])
    server.script = Script(["keyboard-interactive"], rounds=[Round(_PASSWORD.prompts), again, again])
    login = servers.Login("kept", "kept")
    with pytest.raises(Cancelled):
        log_in(server, login)
    assert server.seen.secrets == [("answer", "kept")]
    assert login.kinds() == ["password", "answers"]


def test_a_question_of_another_service_is_shown_as_it_is(server: HostileServer) -> None:
    server.script = Script(
        ["keyboard-interactive"], rounds=[Round([("Password for my-bank.example: ", False)])]
    )
    prompts: list[str] = []

    class Login(servers.Login):
        def password(self, address: object, attempt: int, prompt: str) -> None:
            prompts.append(f"{address} {prompt}")

    with pytest.raises(Cancelled):
        log_in(server, Login())
    assert prompts == [f"ann@127.0.0.1:{server.port} Password for my-bank.example:"]


# -- texts of a server that means no good --------------------------------------------------------------


def test_texts_are_plain_and_bounded(server: HostileServer) -> None:
    nasty = "\x1b[2J\x07<b>code</b>\u202e" + "x" * 100_000
    server.script = Script(["keyboard-interactive"], rounds=[Round([(nasty, True)], None, nasty, nasty)])
    login = servers.Login(answers=(("1",),))
    log_in(server, login)
    _, title, instructions, (prompt, _) = login.asked[0]
    for text, most in ((title, 250), (instructions, 2050), (prompt, 450)):
        assert isinstance(text, str) and len(text) <= most
        assert text.startswith("⟨U+001B⟩[2J⟨U+0007⟩<b>code</b>⟨U+202E⟩xxx") and text.endswith("…")


@pytest.mark.parametrize("rounds", [[Round([("a", True)] * 17)], [Round([], None)] * 50])
def test_a_server_that_asks_without_end_is_left(server: HostileServer, rounds: list[Round]) -> None:
    server.script = Script(["keyboard-interactive"], rounds=rounds)
    login = servers.Login()
    with pytest.raises(LoginFailed, match=r"asks (17 questions at once|without end)") as caught:
        log_in(server, login)
    assert caught.value.reason == "second_factor" and login.asked == []


def test_a_long_banner_is_told_in_short(server: HostileServer) -> None:
    server.script = Script(["password"], banner="Welcome\x1b[31m\n" + "x" * 200_000)
    with pytest.raises(LoginFailed) as caught:
        log_in(server, servers.Login("a", "b", "c"))
    assert "The server says: " in caught.value.detail and len(caught.value.detail) < 1500


def test_a_server_that_hangs_up_while_a_password_is_tried(server: HostileServer) -> None:
    server.script = Script(["password"], hangs_up_after=1)
    login = servers.Login("wrong", "right")
    with pytest.raises(LoginFailed, match="did not accept the password") as caught:
        log_in(server, login)
    assert caught.value.reason == "password_wrong" and login.kinds() == ["password", "rejected"]
    server.script = Script(["password"], hangs_up_after=1, farewell=False)
    login = servers.Login("perhaps right")
    with pytest.raises(ConnectionLost) as lost:
        log_in(server, login)
    assert lost.value.reason == "closed_early" and login.kinds() == ["password"], (
        "it is not known to be wrong"
    )


def test_a_server_that_hangs_up_at_once(server: HostileServer) -> None:
    server.script = Script(["keyboard-interactive"], hangs_up_after=1)
    with pytest.raises(ConnectionLost, match="closed the connection during the login") as caught:
        log_in(server, servers.Login())
    assert caught.value.reason == "closed_early"


def test_a_method_nobody_knows(server: HostileServer) -> None:
    server.script = Script(["gssapi-with-mic,hostbased"])
    with pytest.raises(LoginFailed, match="it takes gssapi-with-mic, hostbased") as caught:
        log_in(server, servers.Login("right"))
    assert caught.value.reason == "no_method" and "IdentityFile" in caught.value.hint


def test_a_server_without_file_transfer(server: HostileServer) -> None:
    route = replace(resolve("127.0.0.1", "ann", server.port), default_keys=())
    connection = Connection(route, Keys(use_agent=False), servers.Login("right"), SHORT)
    try:
        with pytest.raises(StoreFailed, match="offers no SFTP") as caught:
            connection.open_sftp()
    finally:
        connection.close()
    assert caught.value.reason == "no_sftp" and "Subsystem sftp" in caught.value.hint


# -- passwords that have expired -----------------------------------------------------------------------


def test_a_password_that_has_to_be_changed(server: HostileServer) -> None:
    server.script = Script(["password"], expired="Your password has expired.")
    login = servers.Login("right")
    with pytest.raises(LoginFailed, match=r"The password of ann@127\.0\.0\.1:\d+ has expired") as caught:
        log_in(server, login)
    assert caught.value.reason == "password_expired"
    assert caught.value.hint == f"Change it in a terminal: ssh -p {server.port} ann@127.0.0.1"
    assert login.kinds() == ["password"]


def test_a_new_password_is_asked_of_the_person_and_the_old_one_not_kept(server: HostileServer) -> None:
    change = Round(
        [("New password: ", False), ("Retype new password: ", False)], ["n", "n"], "", "Password expired."
    )
    server.script = Script(["keyboard-interactive"], rounds=[_PASSWORD, change])
    login = servers.Login("right", answers=(("n", "n"),))
    log_in(server, login)
    assert login.kinds() == ["password", "answers", "rejected"]
    assert "has expired" in login.said[0]


def test_a_new_password_nobody_can_type(server: HostileServer) -> None:
    change = Round(
        [("New password: ", False)], None, "", "You are required to change your password immediately."
    )
    server.script = Script(["keyboard-interactive"], rounds=[_PASSWORD, change])

    class Login(servers.Login):
        def answers(self, address: object, **_: object) -> None:
            raise LoginNeeded(str(address))

    with pytest.raises(LoginFailed) as caught:
        log_in(server, Login("right"))
    assert caught.value.reason == "password_expired"


# -- the same with PAM ---------------------------------------------------------------------------------


@pytest.mark.skipif(not servers.IS_ROOT, reason=servers.NO_ROOT)
def test_pam_asks_for_the_password_and_a_key_before_it(tmp_path: Path, home: Path) -> None:
    config = (
        "UsePAM yes\nKbdInteractiveAuthentication yes\n"
        "AuthenticationMethods publickey,keyboard-interactive keyboard-interactive"
    )
    with servers.ssh_server(tmp_path / "d", config=config) as real:
        (home / ".ssh").mkdir()
        (home / ".ssh/known_hosts").write_text(real.known_hosts())
        route = resolve("127.0.0.1", real.shell.user, real.port)
        for keyfile, way in ((str(real.key), f"key {real.key} + password"), ("", "password")):
            facts: dict[Stage, str] = {}
            login = servers.Login("wrong", servers.PASSWORD)
            Connection(route, Keys(keyfile), login, SHORT, reached=facts.__setitem__).close()
            assert facts[Stage.LOGGED_IN] == way
            assert login.kinds() == ["password", "rejected", "password", "accepted"]
        subprocess.run(["chage", "-d", "0", real.shell.user], check=True)
        login = servers.Login(servers.PASSWORD)
        with pytest.raises(Cancelled):
            Connection(route, Keys(), login, SHORT)
        assert login.said and "has expired" in login.said[0]


@pytest.mark.skipif(not servers.IS_ROOT, reason=servers.NO_ROOT)
def test_an_expired_password_that_only_the_session_tells(tmp_path: Path, home: Path) -> None:
    """sshd lets such an account in and sends it away afterwards."""
    with servers.ssh_server(tmp_path / "d") as real:
        (home / ".ssh").mkdir()
        (home / ".ssh/known_hosts").write_text(real.known_hosts())
        subprocess.run(["chage", "-d", "0", real.shell.user], check=True)
        store = open_store(spec_of(real, keyfile=""), servers.Login(servers.PASSWORD), limits=SHORT)
        with store, pytest.raises(LoginFailed, match="has expired") as caught:
            store.prepare()
        assert caught.value.reason == "password_expired" and "no TTY" in caught.value.detail
        assert caught.value.hint.startswith("Change it in a terminal: ssh -p ")
