"""Passwords: a real keyring, locked, frozen and missing; who is asked when; nothing kept that was refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import servers
from keyring_daemon import KeyringDaemon, keyring_daemon
from modelkeep.core.credentials import (
    NO_QUESTIONS,
    Credentials,
    KeyringVault,
    MemoryVault,
    Vault,
    allowed_backend,
    normal_address,
    open_vault,
    passphrases,
    redact,
)
from modelkeep.core.errors import KeyringUnavailable, LoginFailed, LoginNeeded, UnknownHost, UsageError
from modelkeep.core.stores.base import Address, LoginProvider
from modelkeep.core.values import Secret

HERE = "ann@lab.example:22"


@pytest.fixture
def keyring(tmp_path: Path) -> Iterator[KeyringDaemon]:
    """An unlocked keyring of its own."""
    with keyring_daemon(tmp_path / "keyring") as daemon:
        yield daemon


# -- addresses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("ann@Lab.Example:2222", "ann@lab.example:2222"),
        ("ann@lab.example", HERE),
        ("ann@연구소.한국:22", "ann@xn--2e0br59akgd.xn--3e0b707e:22"),
        ("Ann@[FE80::1]:22", "Ann@[fe80::1]:22"),
    ],
)
def test_secrets_are_bound_to_one_form_of_an_address(text: str, normal: str) -> None:
    assert normal_address(text) == normal_address(normal) == normal


@pytest.mark.parametrize("text", ["", "lab", "@lab", "ann@", "a@b@c", "ann@lab:x", "ann@la/b:22"])
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(UsageError):
        normal_address(text)


# -- the real keyring ----------------------------------------------------------------------------------


def test_a_keyring_keeps_a_secret_for_the_next_program(keyring: KeyringDaemon) -> None:
    vault = open_vault()
    assert vault.is_persistent and vault.reason == "" and vault.get(HERE) is None
    vault.put("ann@LAB.example", Secret("pä$$ 한글"))
    code = "from modelkeep.core.credentials import open_vault; print(ascii(open_vault().get('ann@lab.example:22').reveal()))"
    source = str(Path(sys.modules["modelkeep"].__path__[0]).parent)
    said = subprocess.run(
        [sys.executable, "-c", code],
        env={**keyring.environment, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout.strip() == ascii("pä$$ 한글"), said.stderr
    assert vault.get("ann@other.example") is None and vault.get("ann@lab.example:23") is None
    vault.put(HERE, Secret("new"))
    found = open_vault().get(HERE)
    assert found is not None and found.reveal() == "new"
    vault.forget(HERE)
    vault.forget(HERE)
    assert open_vault().get(HERE) is None


def test_an_entry_that_is_not_ours_is_no_secret(keyring: KeyringDaemon) -> None:
    backend = allowed_backend()
    vault = KeyringVault(backend)
    for entry in ("plain text", '{"password": 7}', "[]"):
        backend.set_password("modelkeep:ssh", HERE, entry)
        assert vault.get(HERE) is None
    vault.put(HERE, Secret("pw"))
    assert json.loads(backend.get_password("modelkeep:ssh", HERE)) == {"version": 1, "password": "pw"}


def test_a_locked_keyring_says_so_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "keyring"
    with keyring_daemon(folder):
        open_vault().put(HERE, Secret("pw"))
    with keyring_daemon(folder, locked=True):
        vault = open_vault()
        began = time.monotonic()
        for call in (
            lambda: vault.get(HERE),
            lambda: vault.put(HERE, Secret("x")),
            lambda: vault.forget(HERE),
        ):
            with pytest.raises(KeyringUnavailable, match="locked"):
                call()
        assert time.monotonic() - began < 3
    with keyring_daemon(folder):
        found = open_vault().get(HERE)
        assert found is not None and found.reveal() == "pw"


def test_a_keyring_that_does_not_answer_is_not_waited_for(keyring: KeyringDaemon) -> None:
    vault = KeyringVault(allowed_backend(), patience=0.4)
    vault.put(HERE, Secret("pw"))
    keyring.freeze()
    began = time.monotonic()
    for _ in range(2):  # the second one finds the first still waiting
        with pytest.raises(KeyringUnavailable, match="locked"):
            vault.get(HERE)
    assert time.monotonic() - began < 2
    keyring.thaw()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            found = vault.get(HERE)
            break
        except KeyringUnavailable:
            continue
    assert found is not None and found.reveal() == "pw"


def test_a_keyring_that_dies_is_an_error_of_ours(keyring: KeyringDaemon) -> None:
    vault = open_vault(patience=5)
    vault.put(HERE, Secret("pw"))
    keyring.process.kill()
    keyring.process.wait()
    with pytest.raises(KeyringUnavailable):
        vault.get(HERE)


def test_without_a_keyring_secrets_live_in_memory_and_the_reason_is_said() -> None:
    vault = open_vault()
    assert not vault.is_persistent and "no keyring" in vault.reason
    vault.put(HERE, Secret("pw"))
    found = vault.get("ann@LAB.example")
    assert found is not None and found.reveal() == "pw" and "until Modelkeep is closed" in vault.describe()
    assert open_vault().get(HERE) is None


@pytest.mark.parametrize(
    "name", ["keyring.backends.null.Keyring", "keyrings.alt.file.PlaintextKeyring", "os.path"]
)
def test_no_other_backend_is_ever_used(monkeypatch: pytest.MonkeyPatch, home: Path, name: str) -> None:
    folder = home / ".config/python_keyring"
    folder.mkdir(parents=True)
    (folder / "keyringrc.cfg").write_text(f"[backend]\ndefault-keyring={name}\nkeyring-path={home}\n")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
    assert allowed_backend() is None and not open_vault().is_persistent


# -- logins --------------------------------------------------------------------------------------------


class Person:
    """Answers questions from a list and remembers what was asked."""

    def __init__(self, *answers: str | None) -> None:
        self.answers_left = list(answers)
        self.asked: list[tuple[str, int]] = []
        self.said: list[str] = []

    def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
        self.asked.append((address, attempt))
        answer = self.answers_left.pop(0)
        return Secret(answer) if answer is not None else None

    def passphrase(self, keyfile: str, *, attempt: int) -> Secret | None:
        return self.password(keyfile, attempt=attempt, prompt="")

    def answers(
        self, address: str, *, title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[Secret] | None:
        self.asked += [(prompt, 0) for prompt, _ in prompts]
        given = [self.answers_left.pop(0) for _ in prompts]
        return [Secret(one or "") for one in given] if all(given) else None

    def say(self, text: str) -> None:
        self.said.append(text)

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        self.asked.append((f"{host} {key_type} {fingerprint}", 0))
        return self.answers_left.pop(0) or "cancel"


def credentials(vault: Vault, person: Person, config: str | None = None) -> Credentials:
    return Credentials(vault, person, lambda address: Secret(config) if config and address == HERE else None)


def given(login: LoginProvider, attempt: int = 1, address: Address | None = None) -> str | None:
    secret = login.password(address or Address("ann", "lab.example"), attempt, "")
    return secret.reveal() if secret is not None else None


WHERE = Address("ann", "lab.example")


def test_a_password_is_kept_only_after_the_server_took_it(vault: MemoryVault) -> None:
    person = Person("wrong", "right")
    login = credentials(vault, person)
    assert given(login) == "wrong"
    login.rejected(WHERE)
    assert vault.get(HERE) is None
    assert given(login, 2) == "right" and vault.get(HERE) is None
    login.accepted(WHERE)
    kept = vault.get(HERE)
    assert kept is not None and kept.reveal() == "right"
    assert given(login) == "right" and person.asked == [(HERE, 1), (HERE, 2)]


def test_a_kept_password_that_is_refused_is_not_tried_again(vault: MemoryVault) -> None:
    vault.put(HERE, Secret("old"))
    person = Person("new")
    login = credentials(vault, person)
    assert given(login) == "old"
    login.rejected(WHERE)
    assert given(login) == "new", "a new connection must not send the refused one"
    assert person.asked == [(HERE, 2)]
    login.accepted(WHERE)
    kept = vault.get(HERE)
    assert kept is not None and kept.reveal() == "new"


def test_another_host_finds_no_secret_and_is_named(vault: MemoryVault) -> None:
    vault.put(HERE, Secret("pw"))
    person = Person(None)
    assert given(credentials(vault, person), address=Address("ann", "evil.example", 22)) is None
    assert person.asked == [("ann@evil.example:22", 1)]


def test_a_password_in_the_config_is_used_but_not_copied(vault: MemoryVault) -> None:
    login = credentials(vault, Person(), config="from config")
    assert given(login) == "from config"
    login.accepted(WHERE)
    assert vault.get(HERE) is None


def test_an_offered_password_goes_first_and_asking_anew_goes_past_the_vault(vault: MemoryVault) -> None:
    vault.put(HERE, Secret("old"))
    login = credentials(vault, Person("asked"))
    login.offer("ann@LAB.example", Secret("offered"))
    assert given(login) == "offered"
    login.accepted(WHERE)
    login.ask_anew(HERE)
    assert given(login) == "asked"
    login.accepted(WHERE)
    kept = vault.get(HERE)
    assert kept is not None and kept.reveal() == "asked"


def test_nobody_to_ask_is_an_error_that_says_what_to_do(vault: MemoryVault) -> None:
    login = Credentials(vault, NO_QUESTIONS, lambda _: None)
    with pytest.raises(LoginNeeded, match="modelkeep login"):
        given(login)
    login.offer(HERE, Secret("wrong"))
    given(login)
    login.rejected(WHERE)
    with pytest.raises(LoginFailed):
        given(login, 2)
    assert login.passphrase("/key", 1) is None
    with pytest.raises(UnknownHost):
        login.trust_host("lab", "ssh-ed25519", "SHA256:abc")


def test_a_locked_keyring_leads_to_a_question_and_the_answer_lasts_for_this_run() -> None:
    class Locked(MemoryVault):
        def get(self, address: str) -> Secret | None:
            raise KeyringUnavailable("The keyring is locked.")

        def put(self, address: str, secret: Secret) -> None:
            raise KeyringUnavailable("The keyring is locked.")

    person = Person("typed")
    login = credentials(Locked(), person)
    assert given(login) == "typed"
    login.accepted(WHERE)
    assert given(login) == "typed" and len(person.asked) == 1
    assert login.keyring_problem == "The keyring is locked."
    with pytest.raises(LoginNeeded, match="keyring is locked"):
        given(Credentials(Locked(), NO_QUESTIONS, lambda _: None))


def test_exactly_the_expected_host_key_is_trusted(vault: MemoryVault) -> None:
    login = credentials(vault, Person("once"))
    assert login.trust_host("lab", "ssh-ed25519", "SHA256:abc") == "once"
    login.expect_fingerprint("SHA256:abc=")
    assert login.trust_host("lab", "ssh-ed25519", "SHA256:abc") == "remember"
    with pytest.raises(UnknownHost, match="SHA256:other"):
        login.trust_host("lab", "ssh-ed25519", "SHA256:other")


def test_a_passphrase_is_kept_apart_and_for_one_key_only(keyring: KeyringDaemon) -> None:
    vault = open_vault()
    one, other = f"SHA256:{'a' * 43}", f"SHA256:{'b' * 43}"
    login = credentials(vault, Person("wrong", "right"))
    assert passphrase(login, one) == "wrong" and vault.get(one) is None
    assert passphrase(login, one, 2) == "right" and vault.get(one) is None
    login.unlocked(one)
    backend = allowed_backend()
    assert json.loads(backend.get_password("modelkeep:ssh-key", one))["password"] == "right"
    assert backend.get_password("modelkeep:ssh", one) is None
    later = Person("of the other")
    login = credentials(open_vault(), later)
    assert passphrase(login, one) == "right" and later.asked == []
    assert passphrase(login, other) == "of the other" and later.asked == [("/key", 1)]
    vault.forget(one)
    assert vault.get(one) is None


def passphrase(login: Credentials, key: str, attempt: int = 1) -> str | None:
    secret = login.passphrase("/key", attempt, key)
    return secret.reveal() if secret is not None else None


def test_a_passphrase_of_no_known_key_is_not_kept(vault: MemoryVault) -> None:
    person = Person("phrase", "phrase")
    login = credentials(vault, person)
    assert passphrase(login, "") == passphrase(login, "") == "phrase"
    assert person.asked == [("/key", 1), ("/key", 1)]


def test_passphrases_are_kept_by_the_file_of_their_key(tmp_path: Path, vault: MemoryVault) -> None:
    for kind, is_pem in (("ed25519", False), ("rsa", True)):
        key = servers.make_key(tmp_path / kind, kind, "pass phrase", pem=is_pem)
        assert passphrases.kept(vault, str(key)) is None
        passphrases.keep(vault, str(key), Secret("pass phrase"))
        said = subprocess.check_output(["ssh-keygen", "-lf", f"{key}.pub"], text=True).split()[1]
        for found in (vault.get(said), passphrases.kept(vault, str(key))):
            assert found is not None and found.reveal() == "pass phrase"
        with pytest.raises(UsageError, match="no private key"):
            passphrases.kept(vault, f"{key}.pub")
        # A PEM file that has lost its public half is known by its own bytes, and by nothing else.
        Path(f"{key}.pub").unlink()
        assert (passphrases.kept(vault, str(key)) is None) is is_pem


def test_what_a_server_asks_goes_to_a_person_and_is_kept_nowhere(vault: MemoryVault) -> None:
    vault.put(HERE, Secret("kept"))
    person = Person("Tom", "hidden code")
    login = credentials(vault, person)
    prompts = [("Your cat:", True), ("Code:", False)]
    given = login.answers(WHERE, title="Lab", instructions="", prompts=prompts)
    assert given is not None and [one.reveal() for one in given] == ["Tom", "hidden code"]
    assert person.asked == [("Your cat:", 0), ("Code:", 0)]
    assert redact("Tom: hidden code") == "Tom: ••••••", "what was shown while it was typed is no secret"
    kept = vault.get(HERE)
    assert kept is not None and kept.reveal() == "kept"
    with pytest.raises(LoginNeeded, match="asks more than a password"):
        Credentials(vault, NO_QUESTIONS, lambda _: None).answers(
            WHERE, title="", instructions="", prompts=prompts
        )


def test_a_keyring_that_fails_is_told_once_with_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "keyring"
    with keyring_daemon(folder):
        open_vault().put(HERE, Secret("pw"))
    with keyring_daemon(folder, locked=True):
        person = Person("typed")
        login = credentials(open_vault(), person)
        assert given(login) == "typed"
        login.accepted(WHERE)
        assert person.said == ["The keyring is locked. Unlock it with your login password, then try again."]


def test_a_password_that_got_no_verdict_is_given_once_more(vault: MemoryVault) -> None:
    """The connection broke: the person is not asked again, but a second break is enough."""
    person = Person("typed", "again")
    login = credentials(vault, person)
    assert [given(login) for _ in range(3)] == ["typed", "typed", "again"]
    login.accepted(WHERE)
    assert given(login) == "again" and len(person.asked) == 2
    vault.put("ann@other.example", Secret("stored"))
    there, person = Address("ann", "other.example"), Person(None)
    login = credentials(vault, person)
    assert [given(login, address=there) for _ in range(3)] == ["stored", "stored", None]


def test_questions_of_git_and_its_ssh(vault: MemoryVault) -> None:
    person = Person("pw", "ann", "remember", "phrase", "cancel")
    login = credentials(vault, person)

    def answer(prompt: str) -> str | None:
        secret = login.git_prompt(prompt)
        return secret.reveal() if secret is not None else None

    host = (
        "The authenticity of host 'git.example (10.0.0.1)' can't be established.\n"
        "ED25519 key fingerprint is SHA256:abc/def+1.\nThis key is not known by any other names.\n"
        "Are you sure you want to continue connecting (yes/no/[fingerprint])? "
    )
    assert answer("ann@git.example's password: ") == "pw"
    assert answer("Username for 'https://git.example': ") == "ann"
    assert answer(host) == "yes"
    assert answer("Enter passphrase for key '/home/ann/.ssh/id_ed25519': ") == "phrase"
    assert answer(host) is None
    assert [what for what, _ in person.asked[:4]] == [
        "ann@git.example",
        "git.example",
        "git.example (10.0.0.1) ED25519 SHA256:abc/def+1",
        "/home/ann/.ssh/id_ed25519",
    ]
    assert Credentials(vault, NO_QUESTIONS, lambda _: None).git_prompt("Password: ") is None


@pytest.mark.parametrize(
    "text",
    [
        "Enter passphrase for key '/home/ann/.ssh/id_ed25519': ",
        "Password for 'https://me@github.example': ",
        "The authenticity of host 'x' can't be established.\nED25519 key fingerprint is SHA256:abc.\n",
        "Your \x1b[2Jcode: ",
    ],
)
def test_a_git_server_cannot_ask_in_somebody_elses_name(vault: MemoryVault, text: str) -> None:
    """Through ssh a server may ask whatever it likes; it stays a question of that server, told as such."""

    class Asked(Person):
        def answers(self, address: str, **said: object) -> list[Secret] | None:
            self.asked.append((f"{address} {said['prompts']}", 0))
            return None

    person: Person = Asked()
    assert credentials(vault, person).git_prompt(f"(git@evil.example) {text}") is None
    ((asked, _),) = person.asked
    assert asked.startswith("git@evil.example [(") and "\x1b" not in asked
    person = Person("typed")
    found = credentials(vault, person).git_prompt(f"x {text}")
    assert person.asked == [("the Git server", 1)] and found is not None


def test_importing_this_loads_no_keyring() -> None:
    code = "import sys, modelkeep.core.credentials as c; c.open_vault(); sys.exit('keyring' in sys.modules)"
    source = str(Path(sys.modules["modelkeep"].__path__[0]).parent)
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": source}, check=False)
    assert done.returncode == 0
