"""What people paste as the address of their data, and what becomes of it."""

from __future__ import annotations

import pytest

from modelkeep.core.errors import UsageError
from modelkeep.core.formats.pasted import understand
from modelkeep.core.formats.remoteurl import url_problem

_UNDERSTOOD = [
    ("ssh://alice@lab.example.org/srv/dvc", "ssh://alice@lab.example.org/srv/dvc"),
    ("  ssh://lab:2222/srv/dvc  ", "ssh://lab:2222/srv/dvc"),
    ("sftp://alice@lab/srv", "ssh://alice@lab/srv"),
    ("SSH://alice@Lab/srv", "ssh://alice@Lab/srv"),
    ("alice@lab:/srv/dvc", "ssh://alice@lab/srv/dvc"),
    ("lab:/srv/dvc", "ssh://lab/srv/dvc"),
    ("[::1]:/srv/dvc", "ssh://[::1]/srv/dvc"),
    ("ssh://alice@[fe80::1]:2200/srv", "ssh://alice@[fe80::1]:2200/srv"),
    ("alice@lab:/srv/데이터", "ssh://alice@lab/srv/데이터"),
    ("ssh://lab/srv/a#1?x", "ssh://lab/srv/a#1?x"),
    ("dvc remote add -d lab ssh://alice@lab/srv", "ssh://alice@lab/srv"),
    ("$ dvc remote add --default lab 'alice@lab:/my data'", "ssh://alice@lab/my data"),
    ("/usr/bin/dvc remote add -q -f lab lab:/srv", "ssh://lab/srv"),
    ("dvc remote modify lab url ssh://lab/new", "ssh://lab/new"),
    ("modelkeep remote add -d lab ssh://lab/srv", "ssh://lab/srv"),
    ("dvc remote add share /mnt/share", "/mnt/share"),
    ("ssh -p 2222 -i ~/.ssh/lab alice@lab:/srv", "ssh://alice@lab:2222/srv"),
    ("scp -P2222 -r model.bin alice@lab:/srv/x", "ssh://alice@lab:2222/srv/x"),
    ("sftp -l alice sftp://lab/srv", "ssh://alice@lab/srv"),
    (
        "['remote \"lab\"']\n    url = ssh://lab/srv\n    user = alice\n    port = 2200",
        "ssh://alice@lab:2200/srv",
    ),
    ('[remote "lab"]\n    url = /mnt/x', "/mnt/x"),
    ("/mnt/share/데이터", "/mnt/share/데이터"),
    ("'/mnt/my share'", "/mnt/my share"),
    ("~/store", "~/store"),
    ("file:///mnt/a%20b", "/mnt/a b"),
    ("C:\\data\\store", "C:\\data\\store"),
    ("C:/data", "C:/data"),
    ("\\\\server\\share\\x", "\\\\server\\share\\x"),
]


@pytest.mark.parametrize(("text", "url"), _UNDERSTOOD)
def test_an_address_is_understood(text: str, url: str) -> None:
    assert understand(text).url == url


@pytest.mark.parametrize("url", sorted({url for text, url in _UNDERSTOOD if "\\" not in url}))
def test_what_comes_out_is_an_address_for_dvc(url: str) -> None:
    assert url_problem(url) == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "full path of a folder"),
        ("x" * 20_000, "too long"),
        ("lab", "ssh://user@server/folder"),
        ("alice@lab", "ssh://alice@lab/srv/data"),
        ("lab.example.org/srv", "ssh://lab.example.org/srv"),
        ("alice@lab:data", "ssh://alice@lab/home/alice/data"),
        ("alice@lab:~/data", "ssh://alice@lab/home/alice/data"),
        ("ssh://alice@lab/~/data", "ssh://alice@lab/home/alice/data"),
        ("alice@lab:2222/srv", "ssh://alice@lab:2222/srv"),
        ("ssh alice@lab", "ssh://alice@lab/srv/data"),
        ("ssh://alice@lab", "ssh://alice@lab/srv/data"),
        ("ssh://alice@lab/", "ssh://alice@lab/srv/data"),
        ("ssh://lab:70000/srv", "65535"),
        ("ssh://lab:x/srv", "65535"),
        ("ssh://-oProxyCommand=evil/srv", "no server has"),
        ("-oProxyCommand=evil:/srv", "no server has"),
        ("ssh://-l@lab/srv", "no user name has"),
        ("ssh://a b/srv", "no server has"),
        ("s3://bucket/path", "s3:// is not done yet"),
        ("smb://server/share", "Mount the share"),
        ("git+ssh://git@host/repo", "Git repository"),
        ("ftp://host/x", "SFTP"),
        ("relative/folder", "full path"),
        ("./here", "from its beginning"),
        ("dvc remote list", "dvc remote add"),
        ("dvc remote add lab", "dvc remote add NAME ADDRESS"),
        ('dvc remote add lab "ssh://lab/srv', "whole line"),
        ("dvc remote add a/b ssh://lab/srv", "cannot be the name"),
        ("[core]\n    remote = x", "No line"),
        ("ssh://lab/srv\x07x", "invisible"),
        ("ssh://lab/srv\u202ex", "invisible"),
    ],
)
def test_what_names_no_place_is_answered_with_what_to_write(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        understand(text)
    assert caught.value.hint
    assert says in f"{caught.value.title} {caught.value.hint}"


def test_a_command_line_brings_its_name_and_default() -> None:
    found = understand("dvc remote add --local -fd Lab ssh://alice@lab/srv")
    assert (found.name, found.default, found.level) == ("Lab", True, "local")


def test_a_key_file_of_a_command_line_is_kept() -> None:
    assert understand("ssh -i ~/.ssh/lab alice@lab:/srv").keyfile == "~/.ssh/lab"


@pytest.mark.parametrize(
    ("text", "url", "secret"),
    [
        ("ssh://alice:hunter%202@lab:22/srv", "ssh://alice@lab:22/srv", "hunter 2"),
        ("alice:hunter@lab:/srv", "ssh://alice@lab/srv", "hunter"),
        ("dvc remote add lab ssh://alice:hunter@lab/srv", "ssh://alice@lab/srv", "hunter"),
        ("['remote \"lab\"']\nurl = ssh://lab/srv\npassword = 'hunter'", "ssh://lab/srv", "hunter"),
        ("ssh://alice:p@ss@lab/srv", "ssh://alice@lab/srv", "p@ss"),
    ],
)
def test_a_password_never_becomes_part_of_the_address(text: str, url: str, secret: str) -> None:
    found = understand(text)
    assert found.url == url
    assert found.secret is not None and found.secret.reveal() == secret
    assert secret not in repr(found)


@pytest.mark.parametrize(
    "text", ["ssh://alice:hunter2@lab", "alice:hunter2@lab:data", "ssh://alice:hunter2@lab:x/y"]
)
def test_a_password_is_not_repeated_when_something_is_wrong(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        understand(text)
    assert "hunter2" not in str(caught.value)
