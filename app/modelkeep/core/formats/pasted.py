"""What people paste as the address of their data, understood: URLs, scp's form, `dvc remote add` lines, config.

Pure text: nothing is looked up or contacted. What is not understood is answered with the form to write instead.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from modelkeep.core.errors import UsageError
from modelkeep.core.nouns import dataclass, field, replace
from modelkeep.core.paths import visible
from modelkeep.core.values import Secret

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SCP = re.compile(r"(?:(?P<user>[^@:/\s]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:/\s\[\]]{2,}):(?P<path>.*)")
_HOST = re.compile(r"(?!-)[^\s/@:\[\]\\]+|\[[0-9A-Fa-f:.%]+\]")
_USER = re.compile(r"(?!-)[^\s/@:\\]+")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_PORT_PATH = re.compile(r"(\d{2,5})(/.*)")
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_SECTION = re.compile(r"""\[\s*'?remote\s+"(?P<name>[^"]+)"'?\s*\]""")
_LONGEST = 10_000
_EXAMPLE = "ssh://user@server/folder"

#: Other kinds that a URL can name, and what to do about each for now.
_ELSEWHERE = {
    "smb": "Mount the share first, then give the folder where it appears, such as /mnt/share/data.",
    "cifs": "Mount the share first, then give the folder where it appears, such as /mnt/share/data.",
    "nfs": "Mount the share first, then give the folder where it appears, such as /mnt/share/data.",
    "afp": "Mount the share first, then give the folder where it appears, such as /Volumes/share.",
    "git": "That is the address of a Git repository. Data needs a place of its own: a server's folder, or a share.",
    "git+ssh": "That is the address of a Git repository. Data needs a place of its own.",
    "rsync": f"If the server lets you in by SSH, write it as {_EXAMPLE}.",
    "ftp": f"FTP is not safe and not supported. If the server offers SFTP, write {_EXAMPLE}.",
}


@dataclass(frozen=True, slots=True)
class Pasted:
    """A place for data as a text named it. `kind` is "ssh" or "local"; for "local" only `path` counts.

    `name`, `default`, `level` and `keyfile` are set where the text said so. `secret` is a password that stood in
    the text: it is never part of `url`.
    """

    kind: str
    path: str
    host: str = ""
    user: str = ""
    port: int | None = None
    name: str = ""
    default: bool = False
    level: str = ""
    keyfile: str = ""
    secret: Secret | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """What the DVC config says: without a password."""
        if self.kind == "local":
            return self.path
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"ssh://{user}{self.host}{port}{self.path}"


def understand(text: str) -> Pasted:
    """Read an address, a command line or a piece of config that holds one. Raises UsageError with the fix."""
    text = text.strip()
    if len(text) > _LONGEST:
        raise UsageError(
            "This is too long for an address.", hint=f"Paste the address alone, such as {_EXAMPLE}."
        )
    if not text:
        raise UsageError("There is no address yet.", hint=f"Write {_EXAMPLE}, or the full path of a folder.")
    if "\n" in text or _SECTION.match(text):
        return checked(_config(text))
    text = text.removeprefix("$ ").removeprefix("% ").strip()
    words = _words(text)
    if len(words) > 1 and words[0].rpartition("/")[2] in _COMMANDS:
        return checked(_COMMANDS[words[0].rpartition("/")[2]](words[1:]))
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    return checked(_place(text))


def checked(found: Pasted) -> Pasted:
    """The same if every part of it may be used; raises UsageError naming the part that may not."""
    if _HIDDEN.search(found.path + found.host + found.user + found.name):
        raise UsageError("The address has invisible characters in it.", hint="Type it instead of pasting it.")
    if found.name and not NAME.fullmatch(found.name):
        raise UsageError(
            f"“{visible(found.name)}” cannot be the name of a remote.", hint="Use letters, digits, - and _."
        )
    if found.kind == "local":
        return _checked_folder(found)
    if not _HOST.fullmatch(found.host):
        raise UsageError(
            "The server's name is missing, or has a character that no server has.", hint=f"Write {_EXAMPLE}."
        )
    if found.user and not _USER.fullmatch(found.user):
        raise UsageError(
            "The user name has a character that no user name has.",
            hint=f"Write {_EXAMPLE}, with the name you log in with.",
        )
    if found.port is not None and not 0 < found.port < 65536:
        raise UsageError(
            "A port is a number from 1 to 65535.", hint=f"Write {_EXAMPLE} for the usual port, 22."
        )
    return _checked_path(found)


def _checked_folder(found: Pasted) -> Pasted:
    if not found.path.startswith(("/", "\\\\", "~")) and not _DRIVE.match(found.path):
        raise UsageError(
            f"{visible(found.path)} is not the full path of a folder.",
            hint="Write it from its beginning, such as /mnt/share/data.",
        )
    return found


def _checked_path(found: Pasted) -> Pasted:
    server = replace(found, path="").url
    path = found.path
    if path.startswith("/~"):
        path = path[1:]
    if path in ("", "/"):
        raise UsageError(
            "The folder on the server is missing.", hint=f"Write it after the server: {server}/srv/data"
        )
    if path.startswith("/"):
        return found
    with_port = _PORT_PATH.fullmatch(path)
    if with_port:
        meant = replace(found, port=int(with_port[1]), path=with_port[2])
        raise UsageError(
            "After a colon comes the folder here, not the port.", hint=f"If it is the port, write {meant.url}"
        )
    rest = re.sub(r"^~[^/]*/?", "", path)
    home = f"/home/{found.user or 'user'}"
    raise UsageError(
        "The folder must be written from the top of the server, not from your home folder.",
        hint=f"If your home there is {home} (pwd prints it), write {server}{home}/{rest}",
    )


# -- the forms -----------------------------------------------------------------------------------------


def _place(text: str) -> Pasted:
    if _DRIVE.match(text) or text.startswith(("/", "\\\\", "~", "./", "../", ".\\")):
        return Pasted("local", text)
    if "://" in text:
        return _url(text)
    if match := re.fullmatch(r"(?P<user>[^:@/\s]+):(?P<password>[^/\s]+)@(?P<rest>[^@:/\s]+:.*)", text):
        return replace(_place(f"{match['user']}@{match['rest']}"), secret=Secret(match["password"]))
    if match := _SCP.fullmatch(text):
        return Pasted("ssh", match["path"], host=match["host"], user=match["user"] or "")
    if re.fullmatch(r"[^@\s/]+@[^@\s/]+", text):
        raise UsageError("The folder on the server is missing.", hint=f"Write ssh://{visible(text)}/srv/data")
    if re.match(r"(?:[^@\s/]+@)?[^\s/:]+(?:\.[^\s/:]+)+/", text):
        raise UsageError(
            "This could be a server or a folder.", hint=f"For a server write ssh://{visible(text)}"
        )
    raise UsageError(
        "This is no address.", hint=f"For a server write {_EXAMPLE}; for a folder its full path."
    )


def _url(text: str) -> Pasted:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UsageError(
            "A port is a number from 1 to 65535.", hint=f"Write {_EXAMPLE} for the usual port, 22."
        ) from None
    scheme = parts.scheme.lower()
    if scheme == "file":
        return Pasted("local", unquote(parts.path))
    if scheme not in ("ssh", "sftp", "scp", "sshfs"):
        later = "Modelkeep stores data on servers by SSH and in folders; other kinds come later."
        raise UsageError(
            f"Storage by {visible(scheme)}:// is not done yet.", hint=_ELSEWHERE.get(scheme, later)
        )
    userinfo, _, hostinfo = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    path += f"#{parts.fragment}" if parts.fragment else ""
    secret = Secret(unquote(password)) if password else None
    host = re.sub(r":\d*$", "", hostinfo)
    return Pasted("ssh", path, host=host, user=unquote(user), port=port, secret=secret)


# -- command lines and config --------------------------------------------------------------------------


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        if re.match(r"(dvc|modelkeep|ssh|sftp|scp)\s", text):
            raise UsageError(
                "A quotation mark is missing in this line.", hint="Copy the whole line."
            ) from None
        return [text]


def _remote_add(words: Sequence[str]) -> Pasted:
    """`remote add [-d] [-f] [--local …] NAME URL`, or `remote modify … NAME url URL`."""
    flags = [word for word in words if word.startswith("-")]
    names = [word for word in words if not word.startswith("-")]
    if names[:2] == ["remote", "modify"] and len(names) == 5 and names[3] == "url":
        names = ["remote", "add", names[2], names[4]]
    if names[:2] != ["remote", "add"]:
        raise UsageError(
            "This command names no address.",
            hint="Paste a line with “dvc remote add”, or the address itself.",
        )
    if len(names) != 4:
        raise UsageError(
            "A part of this line is missing.", hint="It should read: dvc remote add NAME ADDRESS"
        )
    levels = {"--local": "local", "--global": "global"}
    level = next((levels[flag] for flag in flags if flag in levels), "")
    is_default = any(flag in ("--default", "-d") or re.fullmatch(r"-[fqv]*d[fqv]*", flag) for flag in flags)
    return replace(_place(names[3]), name=names[2], default=is_default, level=level)


def _ssh(words: Sequence[str]) -> Pasted:
    """`ssh`, `sftp` or `scp` with -p/-P, -i and -l, and a place among the words."""
    user = keyfile = ""
    port: int | None = None
    places: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            places.append(word)
            continue
        option, value = word[1:2], word[2:]
        if option in "pPilJoFcmEebIWwSQRLD" and not value and rest:
            value = rest.pop(0)
        if option in "pP" and value.isascii() and value.isdigit():
            port = int(value)
        elif option == "i":
            keyfile = value
        elif option == "l":
            user = value
    named = next((one for one in places if "://" in one or _SCP.fullmatch(one)), places[0] if places else "")
    found = _place(named) if ":" in named else Pasted("ssh", "", *_who(named))
    return replace(found, port=port or found.port, keyfile=keyfile, user=found.user or user)


def _who(text: str) -> tuple[str, str]:
    user, _, host = text.rpartition("@")
    return host, user


def _config(text: str) -> Pasted:
    """A piece of a DVC config: the first remote in it."""
    section = _SECTION.search(text)
    url = re.search(r"^\s*url\s*=\s*(?P<url>.+?)\s*$", text, re.MULTILINE)
    if url is None:
        raise UsageError(
            "No line in this text names an address.", hint=f"Paste one address, such as {_EXAMPLE}"
        )
    found = _place(url["url"].strip("'\""))
    for key in ("user", "port"):
        line = re.search(rf"^\s*{key}\s*=\s*(?P<value>\S+)\s*$", text, re.MULTILINE)
        if line and found.kind == "ssh":
            value = line["value"].strip("'\"")
            if key == "user":
                found = replace(found, user=value)
            elif value.isascii() and value.isdigit():
                found = replace(found, port=int(value))
    password = re.search(r"^\s*password\s*=\s*(?P<value>.+?)\s*$", text, re.MULTILINE)
    if password:
        found = replace(found, secret=Secret(password["value"].strip("'\"")))
    return replace(found, name=section["name"] if section else "")


_COMMANDS = {
    "dvc": _remote_add,
    "modelkeep": _remote_add,
    "ssh": _ssh,
    "sftp": _ssh,
    "scp": _ssh,
    "ssh-copy-id": _ssh,
}
