"""Why a connection to a server did not come about, in people's words. Opens no connection."""

from __future__ import annotations

from modelkeep.core.errors import ConnectionLost, ModelkeepError, StoreFailed, Unsupported
from modelkeep.core.stores.ssh_config import Route
from modelkeep.core.stores.ssh_library import paramiko
from modelkeep.core.stores.ssh_questions import expired, harmless, is_about_expiry


def on_the_way(route: Route, hop: Route, error: ModelkeepError) -> ModelkeepError:
    """A failure of a host in between, told as that."""
    found = type(error)(
        f"{route.address.host} cannot be reached over {hop.address.host} (ProxyJump): {error.title}",
        detail=error.detail,
        hint=error.hint,
        reason="jump_failed",
    )
    found.retryable = error.retryable
    return found


def not_forwarded(hop: str, place: str, error: paramiko.ChannelException) -> StoreFailed:
    """The error for a host in between that leads no further."""
    if error.code == 2:
        return StoreFailed(
            f"{hop} cannot reach {place}.",
            detail=harmless(str(error), 300),
            hint="Log in to the host in between and try from there; check the name and port of the server behind it.",
            reason="jump_failed",
        )
    return StoreFailed(
        f"{hop} does not pass connections on to {place}.",
        detail=harmless(str(error), 300),
        hint="Check ProxyJump in ~/.ssh/config, and that the host in between may forward (AllowTcpForwarding).",
        reason="jump_failed",
    )


def not_begun(route: Route, said: bytes) -> ModelkeepError:
    """The error for an account that was let in, and sent away before anything could be done; `said` is why."""
    text = harmless(said.decode("utf-8", "replace"), 500)
    if is_about_expiry(text):
        return expired(route.address, text)
    return StoreFailed(
        f"{route.address.host} ends the file transfer before it begins.",
        detail=text,
        hint=f"Ask its administrator whether {route.address.user} may log in and transfer files.",
        reason="no_sftp",
    )


def no_handshake(route: Route, error: Exception, greeting: str) -> ModelkeepError:
    """The error for a server that accepts connections, but does not come to speak SSH with us.

    `greeting` is what it calls itself, "" if it did not come to that.
    """
    host = route.address.host
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return Unsupported(
            f"{host} only offers outdated encryption.",
            detail=f"{harmless(greeting, 200)}\n{harmless(str(error), 500)}",
            hint="Ask its administrator to update the SSH server; older methods are unsafe and not used.",
            reason="old_algorithms",
        )
    reason = _kind(error, greeting)
    title, hint = _GREETINGS[reason]
    place = f"{host}:{route.address.port}"
    return ConnectionLost(
        title.format(place=place), detail=harmless(str(error), 300), hint=hint, reason=reason
    )


def _kind(error: Exception, greeting: str) -> str:
    cause = error.__context__ or error
    if isinstance(cause, TimeoutError):
        return "silent"
    return "closed_early" if greeting or isinstance(cause, EOFError | ConnectionError) else "not_ssh"


_GREETINGS = {
    "silent": (
        "{place} accepts connections but says nothing.",
        "The server may be overloaded, or something else than SSH listens there. Check the port; try again later.",
    ),
    "closed_early": (
        "{place} closes the connection before it begins.",
        "It may refuse this computer (a firewall, too many failed logins) or be busy. Try again in some minutes.",
    ),
    "not_ssh": (
        "{place} does not answer as an SSH server.",
        "Check the address and port.",
    ),
}
