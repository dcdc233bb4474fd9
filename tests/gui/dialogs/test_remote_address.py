"""What people paste as an address, and what becomes of it."""

from __future__ import annotations

import pytest

from modelkeep.gui.dialogs.remote_address import Address, NotUnderstood, understand


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("ssh://alice@lab.example.org/srv/dvc", "ssh://alice@lab.example.org/srv/dvc"),
        ("  ssh://lab:2222/srv/dvc  ", "ssh://lab:2222/srv/dvc"),
        ("sftp://alice@lab/srv", "ssh://alice@lab/srv"),
        ("SSH://alice@Lab/srv", "ssh://alice@Lab/srv"),
        ("alice@lab:/srv/dvc", "ssh://alice@lab/srv/dvc"),
        ("lab:/srv/dvc", "ssh://lab/srv/dvc"),
        ("[::1]:/srv/dvc", "ssh://[::1]/srv/dvc"),
        ("ssh://alice@[fe80::1]:2200/srv", "ssh://alice@[fe80::1]:2200/srv"),
        ("dvc remote add -d lab ssh://alice@lab/srv", "ssh://alice@lab/srv"),
        ("$ dvc remote add --default lab 'alice@lab:/my data'", "ssh://alice@lab/my data"),
        ("dvc remote add share /mnt/share", "/mnt/share"),
        ("/mnt/share/데이터", "/mnt/share/데이터"),
        ("file:///mnt/a%20b", "/mnt/a b"),
        ("C:\\data\\store", "C:\\data\\store"),
        ("C:/data", "C:/data"),
    ],
)
def test_an_address_is_understood(text: str, url: str) -> None:
    assert understand(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lab",
        "alice@lab",
        "alice@lab:data",
        "ssh://alice@lab",
        "ssh://alice@lab/",
        "ssh://lab:70000/srv",
        "ssh://-oProxyCommand=evil/srv",
        "-oProxyCommand=evil:/srv",
        "ssh://-l@lab/srv",
        "s3://bucket/path",
        "relative/folder",
        "./here",
        "dvc remote list",
        "dvc remote add lab",
        'dvc remote add lab "ssh://lab/srv',
        "ssh://lab/srv\x07x",
    ],
)
def test_what_names_no_place_is_refused_in_words(text: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        understand(text)
    assert str(caught.value)


def test_a_command_line_brings_its_name_and_default() -> None:
    found = understand("dvc remote add -d lab ssh://alice@lab/srv")
    assert (found.name, found.default) == ("lab", True)


def test_a_password_never_becomes_part_of_the_address() -> None:
    found = understand("ssh://alice:hunter%202@lab:22/srv")
    assert found.url == "ssh://alice@lab:22/srv"
    assert found.secret is not None and found.secret.reveal() == "hunter 2"
    assert "hunter" not in repr(found)


def test_the_address_of_a_folder_is_its_path() -> None:
    assert Address("local", "/mnt/share").url == "/mnt/share"
