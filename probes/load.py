"""Load checks with Locust, strictly as a process of its own: importing it would patch sockets.

Locust's exit code and its percentages are not trusted. A server that accepts and never answers
ends with 0 requests, 0 failures and exit code 0, so what counts are the counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from itertools import count
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from harness.core.dig import JsonObject, number_at, seconds_at, value_at
from harness.core.errors import ProbeError
from harness.core.observation import LoadObserved, Quantiles, ServiceObserved
from harness.ports import Clock, Cluster, KubeClient
from harness.spec.model import LoadAction
from probes.scale import PodCounter, Replicas
from probes.store import SampleStore

LOCUSTFILE = Path(__file__).parent / "locustfiles" / "gateway.py"
_STATUS = 200
# Locust's start and end around the load itself, in seconds.
_GRACE = 30.0
# Exit codes that mean that the load was made: 1 is only that some request failed.
_RAN = (0, 1)
_STDERR_SHOWN = 2000
_MILLISECONDS = 1000


class LocustLoad:
    """Loads KServices of one open cluster through its gateway."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        clock: Clock,
        folder: SampleStore,
        client: KubeClient | None = None,
    ) -> None:
        self._cluster = cluster
        self._client = client
        self._store = folder
        self._clock = clock
        self._numbers = count(1)

    def load(self, service: ServiceObserved, action: LoadAction) -> LoadObserved:
        """Load a service and count what came back; gates are the judge's business.

        With a client, the service's pods are counted meanwhile.

        Errors:
            ProbeError: Locust did not start, or did not end in time.
        """
        gateway = self._cluster.gateway
        base = f"http://{gateway.host}:{gateway.http_port}"
        begun = self._clock.now()
        with TemporaryDirectory(prefix="vpm-load-") as scratch:
            folder = Path(scratch)
            with self._counting(service) as replicas:
                exit_code = _run_locust(service, action, base=base, folder=folder)
            stats = _read_json(folder / "stats.json")
            result = _read_json(folder / "result.json")
        raw = self._store.artefact(
            f"load/{next(self._numbers):02d}-{service.service}.json",
            json.dumps({"stats": stats, "result": result}, indent=1).encode(),
        )
        entries = [entry for entry in stats if isinstance(entry, Mapping)] if stats else []
        return LoadObserved(
            service=service.service,
            namespace=service.namespace,
            url=base + action.path,
            at=_text(begun),
            until=_text(self._clock.now()),
            users=action.users,
            seconds=seconds_at(result, "seconds"),
            requests=sum(number_at(entry, "num_requests") for entry in entries),
            failures=sum(number_at(entry, "num_failures") for entry in entries),
            exit_code=exit_code,
            latency=latency_of(entries[0]) if entries else None,
            errors=_counts(result),
            replicas=tuple(
                (count.at - begun.timestamp(), count.ready) for count in replicas.changes
            ),
            raw=raw,
        )

    def _counting(self, service: ServiceObserved) -> AbstractContextManager[Replicas]:
        if self._client is None:
            return nullcontext(Replicas())
        counter = PodCounter(self._client, self._clock, service.namespace, service.service)
        return counter.recording()


def latency_of(entry: JsonObject) -> Quantiles | None:
    """The latency in Locust's statistics of one request; None when there was no request.

    Locust rounds its quantiles, but neither least nor greatest: they are brought between these.
    """
    times = value_at(entry, "response_times")
    total = number_at(entry, "num_requests")
    if not isinstance(times, Mapping) or total == 0:
        return None
    counts = sorted((float(key), number_at(times, key)) for key in times)
    least = seconds_at(entry, "min_response_time") / _MILLISECONDS
    greatest = seconds_at(entry, "max_response_time") / _MILLISECONDS

    def quantile(q: float) -> float:
        return min(max(_quantile(counts, q), least), greatest)

    return Quantiles(
        count=total,
        mean=seconds_at(entry, "total_response_time") / total / _MILLISECONDS,
        min=least,
        p50=quantile(0.50),
        p90=quantile(0.90),
        p95=quantile(0.95),
        p99=quantile(0.99),
        max=greatest,
    )


def _quantile(counts: list[tuple[float, int]], q: float) -> float:
    """Nearest rank over (milliseconds, count), in seconds."""
    rank = ceil(q * sum(times for _, times in counts))
    seen = 0
    for milliseconds, times in counts:
        seen += times
        if seen >= rank:
            return milliseconds / _MILLISECONDS
    return 0.0


def _run_locust(service: ServiceObserved, action: LoadAction, *, base: str, folder: Path) -> int:
    argv = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless"]
    argv += ["--users", str(action.users), "--spawn-rate", f"{action.spawn_rate:g}"]
    argv += ["--host", base]
    argv += ["--json-file", str(folder / "stats"), "--only-summary", "--skip-log"]
    try:
        done = subprocess.run(
            argv,
            env=_environment(service, action, folder),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=action.duration + action.timeout + _GRACE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProbeError(f"locust did not end within {error.timeout:.0f} s") from error
    except OSError as error:
        raise ProbeError(f"cannot run locust: {error.strerror}") from error
    if done.returncode not in _RAN:
        said = done.stderr[-_STDERR_SHOWN:].decode(errors="replace").strip()
        raise ProbeError(f"locust ended with {done.returncode}: {said}")
    return done.returncode


def _environment(service: ServiceObserved, action: LoadAction, folder: Path) -> dict[str, str]:
    """The caller's environment without what would change Locust: its variables and its home."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOCUST_")}
    return {
        **kept,
        "HOME": str(folder),
        "VPM_LOAD_HOST": urlsplit(service.url).hostname or "",
        "VPM_LOAD_PATH": action.path,
        "VPM_LOAD_TIMEOUT": f"{action.timeout:g}",
        "VPM_LOAD_STATUS": str(_STATUS),
        "VPM_LOAD_SECONDS": f"{action.duration:g}",
        "VPM_LOAD_RESULT": str(folder / "result.json"),
    }


def _counts(result: object) -> dict[str, int]:
    """The failures by their words."""
    errors = value_at(result, "errors")
    return {text: number_at(errors, text) for text in errors} if isinstance(errors, Mapping) else {}


def _read_json(path: Path) -> list[object] | dict[str, object]:
    """What Locust left; nothing when it left no file."""
    if not path.is_file():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, list | dict) else []


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
