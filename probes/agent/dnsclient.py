"""A small DNS client: given resolvers are asked over UDP, and over TCP where UDP is too short."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Sequence

from .addresses import Address, address_text
from .clock import NS, mono_ns
from .connect import connect
from .dnswire import RCODES, Message, WireError, decode, encode_query
from .loop import readable
from .outcomes import Failure, Outcome, describe, timed_out
from .poller import Watched
from .sample import DnsFacts
from .stream import Stream
from .trace import Trace

RESOLV_CONF = "/etc/resolv.conf"

_TRY_NS = NS
_OTHER_FAMILY_NS = NS // 10
_RECORDS = {"any": ("A", "AAAA"), "4": ("A",), "6": ("AAAA",)}
_NOERROR, _NXDOMAIN = 0, 3


def system_servers(path: str = RESOLV_CONF) -> tuple[str, ...]:
    """The resolvers that the system is configured with; none when the file cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - slow to import
            text = file.read()
    except OSError:
        return ()
    lines = [line.split() for line in text.splitlines()]
    return tuple(
        f"[{words[1]}]" if ":" in words[1] else words[1]
        for words in lines
        if len(words) > 1 and words[0] == "nameserver"
    )


async def lookup_addresses(
    servers: Sequence[Address], host: str, family: str, deadline: int
) -> DnsFacts:
    """The addresses of `host` (family ``any``, ``4`` or ``6``); Failure when there are none."""
    records = _RECORDS[family]
    messages, resolver = await ask(servers, host, records, deadline)
    names, pairs = [host], []
    for message in messages:
        found = _follow(message, host)
        names += [name for name in found[0] if name not in names]
        pairs += found[1]
    if not pairs:
        codes = ", ".join(RCODES.get(message.rcode, str(message.rcode)) for message in messages)
        raise Failure(
            Outcome.DNS_NOT_FOUND, f"{resolver}: no {' or '.join(records)} of {host} ({codes})"
        )
    return DnsFacts(
        source="servers",
        checked=True,
        names=tuple(names),
        answers=tuple(answer for answer, _ in pairs),
        ttls=tuple(ttl for _, ttl in pairs),
        resolver=resolver,
    )


async def ask(
    servers: Sequence[Address], name: str, records: Sequence[str], deadline: int
) -> tuple[list[Message], str]:
    """Answers to the questions, and who gave them.

    Each server is asked in turn, with a second for each try, until the deadline. A server that
    refuses or fails is passed over; when every one has, that is the failure.
    """
    failures: dict[Address, Failure] = {}
    turn = 0
    while mono_ns() < deadline:
        server = servers[turn % len(servers)]
        turn += 1
        until = min(deadline, mono_ns() + _TRY_NS)
        try:
            return await _ask_one(server, name, records, until), address_text(server[1])
        except Failure as failure:
            if failure.outcome is not Outcome.DNS_TIMEOUT:
                failures[server] = failure
            if len(failures) == len(set(servers)):
                raise
    if failures:
        raise next(iter(failures.values()))
    raise timed_out("resolve")


async def _ask_one(
    server: Address, name: str, records: Sequence[str], deadline: int
) -> list[Message]:
    try:
        queries: dict[int, bytes] = {}
        for record in records:
            number = _fresh_number(queries)
            queries[number] = encode_query(number, name, record)
    except WireError as error:
        raise Failure(Outcome.DNS_NOT_FOUND, str(error)) from error
    complete = []
    for answer in await _exchange_udp(server, queries, deadline):
        message = answer
        if answer.truncated:
            message = await _exchange_tcp(server, queries[answer.id], deadline)
        if message.rcode not in (_NOERROR, _NXDOMAIN):
            code = RCODES.get(message.rcode, f"RCODE{message.rcode}")
            raise Failure(Outcome.DNS_ERROR, f"{address_text(server[1])}: {code}")
        complete.append(message)
    return complete


async def _exchange_udp(server: Address, queries: dict[int, bytes], deadline: int) -> list[Message]:
    """Send all `queries` at once; answers in their order.

    Once one has come with records, the others have a tenth of a second: a server that drops
    questions for one family must not hide what it knows of the other.
    """
    family, sockaddr = server
    answers: dict[int, Message] = {}
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(sockaddr)
            watched = Watched(sock.fileno())
            for query in queries.values():
                sock.send(query)
            while len(answers) < len(queries) and await readable(watched, deadline):
                message = _expected(sock.recv(65535), queries)
                now = mono_ns()
                if message is not None:
                    answers[message.id] = message
                    if message.answers:
                        deadline = min(deadline, now + _OTHER_FAMILY_NS)
                if now >= deadline:  # whoever never pauses is never waited for
                    break
    except OSError as error:
        raise Failure(
            _socket_outcome(error), f"{address_text(sockaddr)}: {describe(error)}"
        ) from error
    useful = any(message.answers or message.rcode for message in answers.values())
    if len(answers) < len(queries) and not useful:
        raise timed_out("resolve")
    return [answers[number] for number in queries if number in answers]


def _expected(data: bytes, queries: dict[int, bytes]) -> Message | None:
    """The message in `data` if it answers one of `queries`; others are not for us."""
    if len(data) < 2 or struct.unpack_from("!H", data)[0] not in queries:
        return None
    try:
        message = decode(data)
    except WireError as error:
        raise Failure(Outcome.DNS_ERROR, f"malformed answer: {error}") from error
    return message if message.is_response else None


async def _exchange_tcp(server: Address, query: bytes, deadline: int) -> Message:
    number = struct.unpack_from("!H", query)[0]
    stream: Stream | None = None
    try:
        stream = await connect((server,), Trace(), deadline)
        await stream.send(struct.pack("!H", len(query)) + query, deadline)
        buffer = b""
        while len(buffer) < 2 or len(buffer) < 2 + struct.unpack_from("!H", buffer)[0]:
            data = await stream.receive("wait", deadline)
            if not data:
                raise Failure(Outcome.DNS_ERROR, "TCP connection closed before the answer")
            buffer += data
    except Failure as failure:
        # Whatever goes wrong on the way to the resolver belongs to the hop resolve.
        if failure.outcome in (Outcome.CONNECT_TIMEOUT, Outcome.SEND_TIMEOUT, Outcome.WAIT_TIMEOUT):
            raise timed_out("resolve") from failure
        if failure.outcome is Outcome.PROBER_ERROR:
            raise
        raise Failure(Outcome.DNS_ERROR, f"over TCP: {failure.detail}") from failure
    finally:
        if stream is not None:
            stream.close()
    message = _expected(buffer[2:], {number: query})
    if message is None:
        raise Failure(Outcome.DNS_ERROR, "over TCP: not the answer to the question")
    return message


def _follow(message: Message, host: str) -> tuple[list[str], list[tuple[str, int]]]:
    """The aliases that `host` leads to in `message`, and the (address, TTL) at their end."""
    names = [host.rstrip(".").lower()]
    aliases = {record.name: record.data for record in message.answers if record.type == "CNAME"}
    while names[-1] in aliases and aliases[names[-1]] not in names:
        names.append(aliases[names[-1]])
    pairs = [
        (record.data, record.ttl)
        for record in message.answers
        if record.type in ("A", "AAAA") and record.name == names[-1]
    ]
    return names[1:], pairs


def _fresh_number(taken: dict[int, bytes]) -> int:
    number = int.from_bytes(os.urandom(2), "big")
    return number if number not in taken else _fresh_number(taken)


def _socket_outcome(error: OSError) -> Outcome:
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
        return Outcome.PROBER_ERROR
    return Outcome.DNS_ERROR
