"""What people paste when they name a remote, understood: addresses and `dvc remote add` lines. Pure text."""

from __future__ import annotations

import re
import shlex
from urllib.parse import unquote, urlsplit

from PySide6.QtCore import QCoreApplication

from modelkeep.core.nouns import dataclass, replace
from modelkeep.core.values import Secret

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SCP = re.compile(r"(?:(?P<user>[^@:/\s]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:/\s\[\]]{2,}):(?P<path>.*)")
_HOST = re.compile(r"(?!-)[^\s/@:\[\]\\]+|\[[0-9A-Fa-f:.]+\]")
_USER = re.compile(r"(?!-)[^\s/@:\\]+")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class NotUnderstood(ValueError):
    """The text names no place; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Address:
    """A place for data. `kind` is "ssh" or "local"; for "local" only `path` counts.

    `name` and `default` are set when the text said so. `secret` is a password that stood in the text: it is
    never part of `url`.
    """

    kind: str
    path: str
    host: str = ""
    user: str = ""
    port: int | None = None
    name: str = ""
    default: bool = False
    secret: Secret | None = None

    @property
    def url(self) -> str:
        """What the DVC config says: without a password."""
        if self.kind == "local":
            return self.path
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"ssh://{user}{self.host}{port}{self.path}"


def tr(text: str) -> str:
    return QCoreApplication.translate("RemoteAddress", text)


def understand(text: str) -> Address:
    """Read an address, or a whole command line that contains one; raises NotUnderstood."""
    text = text.strip().removeprefix("$ ").strip()
    if not text:
        raise NotUnderstood(tr("Paste an address such as user@server:/folder."))
    if re.match(r"dvc\s", text):
        return _command(text)
    return checked(_place(text))


def checked(address: Address) -> Address:
    """The same address if every part of it may be used; raises NotUnderstood naming the part that may not."""
    if any(ord(char) < 32 for char in address.path + address.host + address.user + address.name):
        raise NotUnderstood(tr("The address contains a control character."))
    if address.kind == "local":
        return _checked_folder(address)
    if not _HOST.fullmatch(address.host):
        raise NotUnderstood(tr("The server's name is missing or contains a character that no server has."))
    if address.user and not _USER.fullmatch(address.user):
        raise NotUnderstood(tr("The user name contains a character that no user name has."))
    if address.port is not None and not 0 < address.port < 65536:
        raise NotUnderstood(tr("A port is a number from 1 to 65535."))
    if not address.path.startswith("/") or address.path == "/":
        raise NotUnderstood(tr("Give the full folder on the server, starting with /, such as /srv/data."))
    return address


def _checked_folder(address: Address) -> Address:
    if not address.path.startswith(("/", "\\\\")) and not _DRIVE.match(address.path):
        raise NotUnderstood(tr("Give the full path of the shared folder, such as /mnt/share/data."))
    return address


def _command(text: str) -> Address:
    """`dvc remote add [-d] [-f] [--local …] NAME URL`."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise NotUnderstood(tr("A quotation mark is missing in this line.")) from None
    if words[1:3] != ["remote", "add"]:
        raise NotUnderstood(tr("Of the dvc commands, only a line with “dvc remote add” names an address."))
    flags = [word for word in words[3:] if word.startswith("-")]
    names = [word for word in words[3:] if not word.startswith("-")]
    if len(names) != 2:
        raise NotUnderstood(tr("The line should read: dvc remote add NAME ADDRESS"))
    is_default = any(flag in ("-d", "--default", "-df", "-fd") for flag in flags)
    return checked(replace(_place(names[1]), name=names[0], default=is_default))


def _place(text: str) -> Address:
    if _DRIVE.match(text) or text.startswith(("/", "\\\\", "~", "./", "../")):
        return Address("local", text)
    if "://" in text:
        return _url(text)
    if match := _SCP.fullmatch(text):
        return Address("ssh", match["path"], host=match["host"], user=match["user"] or "")
    raise NotUnderstood(
        tr("This is no address. Write user@server:/folder for a server, or the full path of a folder.")
    )


def _url(text: str) -> Address:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise NotUnderstood(tr("A port is a number from 1 to 65535.")) from None
    scheme = parts.scheme.lower()
    if scheme == "file":
        return Address("local", unquote(parts.path))
    if scheme not in ("ssh", "sftp", "scp"):
        raise NotUnderstood(
            tr("Storage by {scheme} is not done yet. Servers by SSH and shared folders are.").format(
                scheme=f"{scheme}://"
            )
        )
    userinfo, _, hostinfo = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    host = re.sub(r":\d*$", "", hostinfo)
    secret = Secret(unquote(password)) if password else None
    return Address("ssh", parts.path, host=host, user=user, port=port, secret=secret)
