"""The sentences of the live test: what each kind of failure means and what to try. A table, no behaviour.

They are for people who are not administrators: what is said first is what it means for them.
"""

from __future__ import annotations

from typing import NamedTuple


class Means(NamedTuple):
    """What happened, and what to try."""

    text: str
    advice: str


NONE = Means("", "")

#: What a reason means, and what to try. {…} are the words of remote_advice.
SENTENCES: dict[str, Means] = {
    "address_changed": Means(
        "{title}. Nothing was sent there.",
        "The address was changed by somebody's commit, by another branch, or by hand. Ask who did it. {hint}",
    ),
    # -- reaching the server ---------------------------------------------------------------------------
    "name_unknown": Means(
        "No server called {host} is known.",
        "Check the spelling of the address. Some servers are known only inside their own network: connect to"
        " that network or its VPN, and try again.",
    ),
    "port_refused": Means(
        "{host} is there, but nothing answers on port {port}.",
        "Ask which port its SSH server has (22 is usual) and write it into the address: {another_port}. If the"
        " port is right, the SSH server is not running: tell its administrator.",
    ),
    "unreachable": Means(
        "{host} cannot be reached.",
        "Check this computer's network. A server inside a company or a university often needs its VPN; a"
        " firewall or a server that is switched off look the same.",
    ),
    "silent": Means(
        "{host} takes the connection, but then says nothing.",
        "It may be overloaded, or something else than SSH may listen on port {port}. Wait a minute and try"
        " again; then ask its administrator.",
    ),
    "not_ssh": Means(
        "What answers on port {port} of {host} is no SSH server.",
        "Check the port: web pages (80, 443) and databases answer too. SSH usually has 22.",
    ),
    "closed_early": Means(
        "{host} closed the connection before the login was done.",
        "It may have too many visitors just now, or shut this computer out after failed logins. Wait ten"
        " minutes and try again; then ask its administrator.",
    ),
    "old_algorithms": Means(
        "{host} only offers outdated encryption, which others can break.",
        "Ask its administrator to update the SSH server. Modelkeep does not fall back to unsafe methods.",
    ),
    "jump_failed": Means(
        "The way to {host} leads over another server, and it ends there: {title}.",
        "Try that way by hand: ssh {port_option}{user}@{host}. The other server is named by ProxyJump in"
        " ~/.ssh/config; it must let you in and pass connections on.",
    ),
    "proxy_failed": Means(
        "The program that ~/.ssh/config names for the way to {host} failed.",
        "Look at ProxyCommand in ~/.ssh/config and try it by hand: ssh {port_option}{user}@{host}",
    ),
    "broken": Means(
        "The connection broke: {title}.",
        "Try again. If it happens often, the network between here and {host} is bad.",
    ),
    # -- who it is -------------------------------------------------------------------------------------
    "host_unknown": Means(
        "This computer has not met {host} before. It shows the {key_type} key {fingerprint}.",
        "Compare this fingerprint with the one its administrator gives you; on the server itself this prints it:\n"
        "{command}\n"
        "Only if both are the same: {trust}",
    ),
    "host_changed": Means(
        "{host} shows another key than before. Nothing was sent to it.",
        "Either it was set up anew, or somebody is in between. Ask its administrator for the new fingerprint; on the"
        " server itself this prints it:\nssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\n"
        "Only if the one it shows now is right, let the old one be forgotten: {forget}",
    ),
    "host_revoked": Means(
        "The key of {host} was declared invalid. Nothing was sent to it.",
        "Ask its administrator: somebody else may have this key. Do not log in there.",
    ),
    # -- who you are -----------------------------------------------------------------------------------
    "login_needed": Means(
        "{host} wants a password for {user}, and nobody was asked for it.",
        "Log in once: {log_in}",
    ),
    "password_wrong": Means(
        "{host} does not take this password for {user}.",
        "Type it once more and mind Caps Lock and the keyboard's language. Check that {user} is your name on"
        " that server. After several wrong ones many servers make you wait for some minutes.",
    ),
    "password_expired": Means(
        "The password of {user} on {host} has run out.",
        "Choose a new one in a terminal: ssh {port_option}{user}@{host}. Then come back with it.",
    ),
    "key_refused": Means(
        "{host} knows none of the keys that were offered for {user}.",
        "Bring your public key there once: ssh-copy-id {port_option}{user}@{host}. Or choose the key that"
        " belongs to this server, or log in with a password.",
    ),
    "login_refused": Means(
        "{host} does not let {user} in.",
        "Check the user name, and the password or which key belongs to this server. Some servers let only"
        " certain people in: its administrator knows.",
    ),
    "passphrase_wrong": Means(
        "The passphrase does not open the key.",
        "Type it once more. If it is lost, make a new key (ssh-keygen) and bring it to the server.",
    ),
    "key_too_open": Means(
        "The key was not used, because others on this computer may read its file.",
        "{hint}",
    ),
    "too_many_keys": Means(
        "{host} hung up after too many keys were tried.",
        "Choose the one key that belongs to this server, or name it in ~/.ssh/config: IdentityFile and"
        " IdentitiesOnly yes.",
    ),
    "second_factor": Means(
        "{host} asks for more than a password, and got no right answer.",
        "Have the code or the device ready and try again where you can be asked; codes work once, for half a minute."
        " Or log in with a key.",
    ),
    "no_method": Means(
        "{host} offers no way to log in that works from here.",
        "Ask its administrator which ones are allowed; a key usually is.",
    ),
    # -- the folder ------------------------------------------------------------------------------------
    "no_sftp": Means(
        "{host} offers no file transfer (SFTP).",
        "Ask its administrator to switch it on: Subsystem sftp in the SSH server's settings.",
    ),
    "folder_garbled": Means(
        "{host} says something else before the file transfer begins.",
        "Usually a start-up script of {user} there (.bashrc) prints a greeting. Let it do so only where a person"
        " sits, with this line at its top:\n[[ $- == *i* ]] || return",
    ),
    "folder_one_session": Means(
        "{host} allows one thing at a time in a connection, and Modelkeep needs several.",
        "Ask its administrator to raise MaxSessions in the SSH server's settings; 10 is usual.",
    ),
    "folder_denied": Means(
        "{who} may not make or change anything in {path}.",
        "Choose a folder that is yours, or ask the owner of this one to let you write there.{own}",
    ),
    "folder_missing": Means(
        "{path} is not there, and cannot be made.",
        "Check the spelling: the path begins at the top of the server, with /.",
    ),
    "folder_taken": Means(
        "{path} is a file, not a folder.",
        "Choose another folder.",
    ),
    "folder_read_only": Means(
        "{path} lies on a disk that can only be read.",
        "Choose another place, or ask for the disk to be made writable. Disks with errors become like this, too.",
    ),
    "folder_full": Means(
        "The disk with {path} is full.",
        "Ask for space there, or choose another disk.",
    ),
    "folder_quota": Means(
        "{path} takes nothing more, although its disk has room.",
        "A limit for one account (a quota) is the usual cause: ask the administrator, or free something there.",
    ),
    "folder_no_rename": Means(
        "Files in {path} cannot be renamed.",
        "Modelkeep and DVC write under a temporary name first, so this place cannot be used. Choose another.",
    ),
    "folder_no_answer": Means(
        "{path} does not answer.",
        "It is on a share whose server is away. Check the network or VPN, or mount it again.",
    ),
    "folder_failed": Means(
        "{path} refuses, without a clear reason.",
        "The disk or your quota there may be full. Try the same by hand (make a file, rename it, remove it) and show"
        " the administrator what it says.",
    ),
}
