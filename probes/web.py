"""The vantage devbox alone, for a URL that need not be a KService's: no cluster is asked."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from harness.core.errors import ProbeError, UsageError
from harness.core.observation import Artefact, ServiceObserved
from harness.ports import Vantage
from harness.spec.model import ProbeAction
from probes.build import cached_agent
from probes.plan import DEVBOX, Route
from probes.store import SampleStore
from probes.vantage import LocalVantage

_SCHEMES = ("http", "https")


def web_url(text: str) -> str:
    """A URL as the engine takes it: a path, no fragment, the host's name in ASCII.

    Errors:
        UsageError: it is no URL that can be probed.
    """
    if any(char <= " " or char == "\x7f" for char in text):
        raise UsageError(f"{text!r} has white space or control characters in it")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError(f"{text} is not a URL: {error}") from error
    if parts.scheme not in _SCHEMES:
        raise UsageError(f"{text}: only http:// and https:// can be probed")
    if not host or port == 0:
        raise UsageError(f"{text} names no {'host' if not host else 'port to connect to'}")
    if parts.username is not None:
        raise UsageError(
            f"the URL of {host} holds credentials, and evidence shows URLs",
            mend="leave them out, and give --header 'Authorization: ...'",
        )
    if not (parts.path + parts.query).isascii():
        raise UsageError(f"{text}: percent-encode what is not ASCII behind the host")
    # RFC 6874 writes the zone of a link-local address behind %25; the system wants a plain %.
    name = f"[{host.replace('%25', '%')}]" if ":" in host else _ascii_host(host)
    authority = name if port is None else f"{name}:{port}"
    return urlunsplit((parts.scheme, authority, parts.path or "/", parts.query, ""))


def _ascii_host(host: str) -> str:
    """A host's name as DNS knows it: `xn--bcher-kva.example` for `bücher.example`.

    Names that the standard library's older rules would change (ß, emoji) are not guessed at.
    """
    if "%" in host:
        raise UsageError(f"the host {host} is percent-encoded", mend="write the name as it is")
    if host.isascii():
        return host
    try:
        encoded = host.encode("idna")
        certain = encoded.decode("idna") == host
    except UnicodeError:
        certain = False
    if not certain:
        raise UsageError(
            f"the host {host} is not ASCII", mend="write it as DNS knows it: xn--... (IDNA)"
        )
    return encoded.decode("ascii")


class WebPlaces:
    """Only this machine; implements `probes.prober.Places`."""

    first_lead = 0.0

    def __init__(self, url: str) -> None:
        self._url = url
        self._local = LocalVantage(DEVBOX, cached_agent())

    def place_of(self, vantage: str) -> str:
        """Each vantage is a place."""
        return vantage

    def missing(self, vantage: str) -> str:
        """Why there is no such vantage; empty for the one that there is."""
        return "" if vantage == DEVBOX else "a URL is probed from devbox only"

    def route(self, vantage: str, service: ServiceObserved, action: ProbeAction) -> Route:
        """To the URL as it stands; a name is resolved by the system unless asked otherwise."""
        return Route(self._url, dns="auto" if action.dns == "auto" else "system")

    def authority(self, scheme: str) -> str:
        """Certificates are checked with those that the system trusts."""
        return ""

    def abandon(self) -> None:
        """End the engine soon."""
        self._local.abandon()

    def logs(
        self, service: ServiceObserved, store: SampleStore, *, prefix: str
    ) -> tuple[Artefact, ...]:
        """There is nobody whose logs could be asked for."""
        return ()

    def open(self, place: str, *, namespace: str) -> Vantage:
        """The engine on this machine.

        Errors:
            ProbeError: another place was asked for.
        """
        if place != DEVBOX:
            raise ProbeError(self.missing(place))
        return self._local
