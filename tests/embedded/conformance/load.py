"""Clients of the gateway: requests one after the other, several clients side by side."""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_PATIENCE = 60.0  # real seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request got, at a real time (monotonic seconds), after how long."""

    at: float
    took: float
    code: int  # 0 when the connection failed
    body: str


@dataclass(frozen=True, slots=True)
class Target:
    """A service behind a gateway."""

    address: str
    port: int
    host: str
    path: str = "/"

    @classmethod
    def of(cls, info: Mapping[str, Any], host: str, path: str = "/") -> Target:
        """The service NAME.NAMESPACE of the cluster that `info` describes."""
        gateway = info["gateway"]
        return cls(gateway["address"], gateway["http"], f"{host}.{info['domain']}", path)


class Client:
    """One connection, opened again when it breaks."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection = http.client.HTTPConnection(
            target.address, target.port, timeout=_PATIENCE
        )

    def ask(self, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request and read the whole answer."""
        begin = time.monotonic()
        try:
            sent = {"Host": self._target.host, **(headers or {})}
            self._connection.request("GET", self._target.path, headers=sent)
            answer = self._connection.getresponse()
            body = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return Answer(begin, time.monotonic() - begin, 0, "")
        return Answer(begin, time.monotonic() - begin, answer.status, body)

    def close(self) -> None:
        self._connection.close()


def ask(target: Target, headers: Mapping[str, str] | None = None) -> Answer:
    """One request over a connection of its own."""
    client = Client(target)
    try:
        return client.ask(headers)
    finally:
        client.close()


def during(target: Target, clients: int, end: threading.Event) -> list[Answer]:
    """Requests of some clients until `end` is set; returns when all are answered."""
    answers: list[list[Answer]] = [[] for _ in range(clients)]
    threads = [
        threading.Thread(target=_keep_asking, args=(target, mine, end), daemon=True)
        for mine in answers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for mine in answers for answer in mine]


def at_once(target: Target, clients: int) -> list[Answer]:
    """One request of each client."""
    end = threading.Event()
    end.set()
    return during(target, clients, end)


def _keep_asking(target: Target, answers: list[Answer], end: threading.Event) -> None:
    client = Client(target)
    try:
        answers.append(client.ask())
        while not end.is_set():
            if not answers[-1].code:
                end.wait(0.05)  # nobody listens: no need to hammer
            answers.append(client.ask())
    finally:
        client.close()


def codes(answers: list[Answer]) -> dict[str, int]:
    """How many answers had each status."""
    return dict(Counter(str(answer.code) for answer in answers))


def median(answers: list[Answer]) -> float:
    """The median of the answers' times in seconds."""
    return statistics.median(answer.took for answer in answers) if answers else 0.0
