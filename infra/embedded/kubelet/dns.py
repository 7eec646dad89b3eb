"""The cluster's DNS server: names of Services and pods, for the pods."""

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from infra.embedded.kinds import ENDPOINTSLICE, SERVICE
from infra.embedded.kubelet.environment import Obj
from infra.embedded.kubelet.node import DNS_ADDRESS, Node
from infra.embedded.store import Store

TTL = 5
A, CNAME, AAAA = 1, 5, 28
NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NAME_ERROR = 0, 1, 2, 3
_IN = 1
_POINTER_TO_QUESTION = 0xC00C
_MAX_ALIASES = 4


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the bytes it was asked in."""

    identity: int
    flags: int
    name: str
    kind: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the cluster knows of a name; `exists` with nothing in it means no such record."""

    exists: bool
    aliases: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DnsFault:
    """Names that do not resolve, or only after some cluster seconds, or end in SERVFAIL.

    `name` is a name or the end of names (`.svc.cluster.local`); empty means every name.
    """

    name: str = ""
    seconds: float = 0.0
    missing: bool = False
    failing: bool = False

    def concerns(self, name: str) -> bool:
        """Whether questions for this name are concerned."""
        return not self.name or name == self.name or name.endswith(f".{self.name.lstrip('.')}")


@dataclass(slots=True)
class DnsFaults:
    """All that is wrong with the cluster's DNS now."""

    faults: tuple[DnsFault, ...] = ()

    def missing(self, name: str) -> bool:
        return any(fault.missing and fault.concerns(name) for fault in self.faults)

    def failing(self, name: str) -> bool:
        return any(fault.failing and fault.concerns(name) for fault in self.faults)

    def delay(self, name: str) -> float:
        """Cluster seconds that an answer takes."""
        return max((f.seconds for f in self.faults if f.concerns(name)), default=0.0)


def parse(packet: bytes) -> Question:
    """The first question of a query; raises ValueError when it is malformed."""
    if len(packet) < 12:
        raise ValueError("short packet")
    identity, flags, count = struct.unpack_from("!HHH", packet)
    if count < 1 or flags & 0x8000:
        raise ValueError("not a query")
    labels: list[str] = []
    offset = 12
    while True:
        if offset >= len(packet):
            raise ValueError("name ends early")
        length = packet[offset]
        offset += 1
        if length == 0:
            break
        if length > 63 or offset + length > len(packet):
            raise ValueError("malformed name")
        labels.append(packet[offset : offset + length].decode("latin-1"))
        offset += length
    if offset + 4 > len(packet):
        raise ValueError("question ends early")
    kind, _ = struct.unpack_from("!HH", packet, offset)
    return Question(identity, flags, ".".join(labels).lower(), kind, packet[12 : offset + 4])


def build(question: Question, answer: Answer, code: int = NO_ERROR) -> bytes:
    """The response to a question."""
    records: list[bytes] = []
    owner = struct.pack("!H", _POINTER_TO_QUESTION)
    for alias in answer.aliases:
        target = encode_name(alias)
        records.append(owner + struct.pack("!HHIH", CNAME, _IN, TTL, len(target)) + target)
        owner = target
    if question.kind == A:
        for address in answer.addresses:
            data = bytes(int(part) for part in address.split("."))
            records.append(owner + struct.pack("!HHIH", A, _IN, TTL, 4) + data)
    rcode = code if code or answer.exists else NAME_ERROR
    flags = 0x8480 | (question.flags & 0x0100) | rcode  # an authoritative answer, recursion on
    header = struct.pack("!HHHHHH", question.identity, flags, 1, len(records), 0, 0)
    return header + question.raw + b"".join(records)


def encode_name(name: str) -> bytes:
    """A name as labels."""
    labels = (label.encode("latin-1") for label in name.split(".") if label)
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def resolve(store: Store, domain: str, name: str) -> Answer:
    """What the cluster knows of a name."""
    aliases: list[str] = []
    for _ in range(_MAX_ALIASES):
        suffix = f".svc.{domain}"
        if not name.endswith(suffix):
            return Answer(exists=bool(aliases), aliases=tuple(aliases))
        parts = name.removesuffix(suffix).split(".")
        if len(parts) < 2:
            return Answer(exists=len(parts) == 1 and not aliases)
        service = store.find(SERVICE, parts[-1], parts[-2])
        if service is None:
            return Answer(exists=bool(aliases), aliases=tuple(aliases))
        external = service["spec"].get("externalName")
        if service["spec"].get("type") != "ExternalName" or not external:
            addresses = _addresses(store, service, parts[:-2])
            return Answer(bool(addresses) or not parts[:-2], tuple(aliases), addresses)
        aliases.append(external)
        name = external.rstrip(".").lower()
    return Answer(exists=True, aliases=tuple(aliases))


def _addresses(store: Store, service: Obj, host: Sequence[str]) -> tuple[str, ...]:
    """The Service's address, or its endpoints' where it is headless."""
    cluster_ip = service["spec"].get("clusterIP")
    if cluster_ip and cluster_ip != "None":
        return () if host else (cluster_ip,)
    found: list[str] = []
    meta = service["metadata"]
    labels = {"kubernetes.io/service-name": meta["name"]}
    for endpoints in store.list(ENDPOINTSLICE, meta["namespace"], labels):
        for endpoint in endpoints.get("endpoints") or ():
            ready = (endpoint.get("conditions") or {}).get("ready", True)
            if ready and (not host or [endpoint.get("hostname")] == list(host)):
                found += endpoint["addresses"]
    return tuple(found)


class _Server(asyncio.DatagramProtocol):
    def __init__(self, node: Node) -> None:
        self._node = node
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is none by type

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        try:
            question = parse(data)
        except ValueError:
            return
        node, faults = self._node, self._node.dns_faults
        answer = resolve(node.store, node.settings.cluster_domain, question.name)
        if faults.missing(question.name):
            answer = Answer(exists=False)
        code = SERVER_FAILURE if faults.failing(question.name) else NO_ERROR
        if code:
            answer = Answer(exists=True)
        packet, delay = build(question, answer, code), faults.delay(question.name)
        loop = asyncio.get_running_loop()
        loop.call_later(delay / node.clock.scale, self._send, packet, addr)

    def _send(self, packet: bytes, addr: tuple[str | object, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(packet, addr)


async def serve(node: Node) -> None:
    """Answer the pods' questions until cancelled."""
    listener = await node.network.listen("dgram", DNS_ADDRESS, 53)
    if listener is None:
        return
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Server(node), sock=listener)
    try:
        await asyncio.Event().wait()
    finally:
        transport.close()
