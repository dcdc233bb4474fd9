"""The DVC config: dialect, levels, what a repository may set, secrets, URLs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelkeep.core.errors import InvalidFile, NotFound, UnsafePath, UsageError
from modelkeep.core.formats.config import Config, edit_config, parse_config, url_problem

PASSWORD = "hunter2-ÄÖ"


def parse(text: str):
    return parse_config(text.encode(), ".dvc/config")


def config(repo: str = "", **levels: str) -> Config:
    return Config.merge({"repo": parse(repo), **{level: parse(text) for level, text in levels.items()}})


def remote(options: str, level: str = "repo", url: str = "ssh://host/data") -> Config:
    return config(**{level: f"['remote \"r\"']\n    url = {url}\n{options}"})


# -- dialect -------------------------------------------------------------------------------------------


def test_names_are_lower_case_and_values_unquoted() -> None:
    text = "\ufeff[CORE]\r\n    Remote = MyRem\r\n['remote \"MyRem\"']\r\n    URL = 'p#a\"s s,1'  # note\r\n"
    assert parse(text) == {"core": {"remote": "MyRem"}, 'remote "myrem"': {"url": 'p#a"s s,1'}}
    assert config(text).default_remote == "myrem"


def test_references_are_replaced_as_configobj_does() -> None:
    text = '[remote "r"]\nbase = h\nurl = ssh://%(base)s/x%(\n[DEFAULT]\n'
    assert parse(text)['remote "r"']["url"] == "ssh://h/x%("


@pytest.mark.parametrize(
    "text",
    [
        "url = x\n", "[core]\nremote = %(nope)s\n", "[core]\nremote = %(remote)s\n", "[core\n", "[core]\nremote\n",
        "[core]\nremote = a\nremote = b\n", "[core]\n[core]\n", "[core]\n[[sub]]\na = b\n", "[core]\nremote = 'a\n",
        "['remote \"r\"']\nurl = a, b\n", "[core]\nremote = '''a\n",
        "[core]\n" + "".join(f"k{i} = {f'%(k{i + 1})s' * 40}\n" for i in range(9)) + "k9 = \n",
        "[core]\nremote = " + "x" * 300_000,
    ],
)  # fmt: skip
def test_broken_files_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(InvalidFile) as error:
        parse(text + f"password = {PASSWORD}\npassword = {PASSWORD}\n")
    assert len(str(error.value)) < 500 and PASSWORD not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "[unknown]\na = b\n", "[core]\nevil = 1\n", "['other \"r\"']\nurl = x\n", "[core]\nautostage = yes\n",
        "['remote \"r\"']\nurl = ssh://h/p\nregion = x\n", "['remote \"r\"']\nurl = /p\nport = 1\n",
        "['remote \"r\"']\njobs = 1\n", "['remote \"r\"']\nurl = ssh://h/p\nport = x\n", "['remote \"r\"']\nurl = ssh://h/p\nevil = 1\n",
    ],
)  # fmt: skip
def test_what_dvc_refuses_is_refused(text: str) -> None:
    with pytest.raises(InvalidFile):
        config(text)


def test_unknown_features_only_warn_in_dvc() -> None:
    assert config("[feature]\nfuture = true\n").remotes() == ()


def test_later_levels_win_key_by_key() -> None:
    merged = config(
        "['remote \"r\"']\nurl = ssh://repo/p\nuser = bob\n",
        **{"global": "[core]\nremote = r\n", "local": "['remote \"R\"']\nurl = ssh://local/p\n"},
    )
    found = merged.remote("R")
    assert (found.url, found.options, found.level) == ("ssh://local/p", {"user": "bob"}, "local")
    assert merged.level_of("core", "remote") == "global" and merged.get("core", "none") is None


# -- what a repository may set -------------------------------------------------------------------------


def test_a_repository_may_not_choose_programs_keys_or_places() -> None:
    bad = "keyfile = /k\ngss_auth = true\nallow_agent = true\nverify = false\n"
    found = remote(bad + "user = u\nport = 22\njobs = 500\ntimeout = 5\n")
    assert found.remote("r").options == {"user": "u", "port": "22", "jobs": "64", "timeout": "5"}
    assert [(one.remote, one.key) for one in found.ignored()] == [
        ("r", "keyfile"),
        ("r", "gss_auth"),
        ("r", "allow_agent"),
        ("r", "verify"),
    ]
    assert all(one.why for one in found.ignored())
    (shown,) = remote("keyfile = https://me:secret@h/k\n").ignored()
    assert shown.value == "https://me@h/k"
    mine = remote(bad, level="global")
    assert mine.remote("r").options["keyfile"] == "/k" and mine.ignored() == ()
    assert remote("bearer_token_command = sh\n", url="webdav://h/p").remote("r").options == {}


@pytest.mark.parametrize(
    ("value", "honoured"),
    [
        ("dir = cache2", True), ("dir = ../elsewhere", True), ("dir = ../../out", False), ("dir = /shared", False),
        ("dir = ~/c", False), ("dir = ../.git/x", False), ("type = reflink", True), ('type = "reflink,copy"', True),
        ("type = symlink", False), ("type = copy, hardlink", False), ("shared = group", False),
    ],
)  # fmt: skip
def test_a_repository_may_not_move_the_cache_outside(value: str, honoured: bool) -> None:
    key = value.partition(" ")[0]
    repo, own = config(f"[cache]\n{value}\n"), config(**{"global": f"[cache]\n{value}\n"})
    assert (repo.get("cache", key) is not None, bool(repo.ignored())) == (honoured, not honoured)
    assert own.get("cache", key) is not None


# -- secrets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["global", "repo", "local"])
def test_secrets_are_found_but_never_shown(level: str) -> None:
    found = remote(f"password = {PASSWORD}\n", level)
    one = found.remote("r")
    assert one.secrets == ((level, "password"),) and found.secrets() == ((level, 'remote "r"', "password"),)
    held = found.held("R", "password")
    assert held is not None and held.secret.reveal() == PASSWORD and held[:2] == ("r", level)
    assert PASSWORD not in repr(one) + repr(found) + str(one.options) + str(
        found.get('remote "r"', "password")
    )


def test_a_password_in_the_url_is_cut_out() -> None:
    found = remote("", url="ssh://bob:p%40ss:w@host:22/data")
    one = found.remote("r")
    assert one.url == "ssh://bob@host:22/data" and "p%40ss" not in repr(one)
    held = found.held("r", "password")
    assert held is not None and held.secret.reveal() == "p@ss:w"
    assert tuple(one.ssh_address) == ("bob", "host", 22, "/data")


# -- inheritance and URLs ------------------------------------------------------------------------------


def test_remotes_inherit_from_each_other() -> None:
    text = "['remote \"a\"']\nurl = ssh://h/base\nuser = bob\nport = 1\n['remote \"b\"']\nurl = remote://A/sub/x\nuser = eve\n"
    merged = config(text, local="['remote \"a\"']\npassword = x\n")
    found = merged.remote("b")
    assert (found.url, found.kind, found.options) == (
        "ssh://h/base/sub/x",
        "ssh",
        {"user": "eve", "port": "1"},
    )
    held = merged.held("b", "password")
    assert held is not None and held[:2] == ("a", "local"), "it stands at the remote it was made for"
    assert tuple(found.ssh_address) == ("eve", "h", 1, "/base/sub/x")


@pytest.mark.parametrize("target", ["b", "none"])
def test_inheritance_that_leads_nowhere_is_a_problem(target: str) -> None:
    text = f"['remote \"a\"']\nurl = remote://b/x\n['remote \"b\"']\nurl = remote://{target}/x\n"
    found = config(text).remote("a")
    assert found.problem
    with pytest.raises(UsageError):
        _ = found.ssh_address


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("user@host:/p", "ssh://user@host/p"), ("host:data", "ssh://host/absolute/path/data"), ("file:///tmp/z", "/tmp/z"),
        ("file:x", "/x"), ("foo://h/p", "not a kind"), ("ssh:///p", "no proper host"), ("ssh://-oProxyCommand=x/p", "no proper"),
        ("ssh://-x@h/p", "no proper"), ("ssh://h:x/p", "port"), ("ssh://h:99999/p", "port"), ("ssh://a b/p", "host name"),
        ("ssh://h/\x01", "control"), ("", "empty"), ("remote:///x", "another remote"), ("user:secret@host:/p", "ssh://"),
    ],
)  # fmt: skip
def test_urls_that_trap_people_are_explained(url: str, part: str) -> None:
    assert part in url_problem(url) and "secret" not in url_problem(url)


@pytest.mark.parametrize(
    "url",
    ["ssh://h/p", "ssh://u@h:22/p", "ssh://[::1]:22/p", "/p", "../p", "~/p", "C:\\p", "s3://b/p", "a b"],
)
def test_good_urls_have_no_problem(url: str) -> None:
    assert url_problem(url) == ""


def test_local_paths_are_relative_to_the_config_file(tmp_path: Path) -> None:
    one = remote("", url="../../store").remote("r")
    assert one.local_path(tmp_path / "p/.dvc") == tmp_path / "store"
    for bad in ("../.git/objects", "/etc/x", "~/.ssh"):
        with pytest.raises(UnsafePath):
            remote("", url=bad).remote("r").local_path(tmp_path / ".dvc")
    with pytest.raises(NotFound):
        config().remote("r")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("core", "evil", "x"), ("evil", "a", "x"), ('remote "r"', "url", "a\nb"), ('remote "r"', "url", "%(x)s"),
        ('remote "r"', "user", "\xa0x"), ('remote "r"', "user", "x\u3000"),
        ('remote "a]"', "url", "x"), ('remote "a\'b"', "url", "x"), ('remote " "', "url", "x"),
    ],
)  # fmt: skip
def test_changes_dvc_could_not_read_are_refused(section: str, key: str, value: str) -> None:
    with pytest.raises(UsageError):
        edit_config(b"", "c", {(section, key): value})


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="[]'\"=,#%()s \n\tab:/@\\é", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        sections = parse(text)
        Config.merge({"repo": sections}).remotes()
        edit_config(text.encode(), "c", {("core", "remote"): "x"})
    except (InvalidFile, UsageError):
        pass


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30))
def test_values_survive_writing(value: str) -> None:
    try:
        data = edit_config(b"", "c", {('remote "r"', "user"): value})
    except UsageError:
        return
    assert parse_config(data, "c")['remote "r"']["user"] == value
