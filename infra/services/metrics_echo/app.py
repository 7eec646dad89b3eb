"""The metrics-echo service.

Every GET answers `metrics-echo ok ts=<epoch> target=<TARGET> service=<K_SERVICE> revision=<…>`;
besides: `/healthz`, `/metrics` (Prometheus), `/echo` (the request as JSON), `/delay?ms=`.
"""

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from infra.services.http1 import Handler, Request, Response, serve

MAX_DELAY_MS = 600_000


class MetricsEcho:
    """The service's state: its identity and its counters."""

    def __init__(
        self, environment: Mapping[str, str], now: Callable[[], float] = time.time
    ) -> None:
        self._now = now
        identity = (
            ("target", environment.get("TARGET", "vpm-mini")),
            ("service", environment.get("K_SERVICE", "")),
            ("revision", environment.get("K_REVISION", "")),
        )
        self._identity = " ".join(f"{key}={value}" for key, value in identity)
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds = 0.0
        self._started = now()
        self._routes: dict[str, Callable[[Request], Response]] = {
            "/healthz": lambda _request: Response(b"ok\n"),
            "/metrics": self._metrics,
            "/echo": _echo,
            "/delay": self._delay,
        }

    def __call__(self, request: Request) -> Response:
        """Answer one request and count it."""
        begin = time.perf_counter()
        response = self._routes.get(request.path, self._ok)(request)
        with self._lock:
            self._requests[request.method, response.status] += 1
            self._seconds += time.perf_counter() - begin
        return response

    def _ok(self, _request: Request) -> Response:
        return Response(f"metrics-echo ok ts={int(self._now())} {self._identity}\n".encode())

    def _delay(self, request: Request) -> Response:
        text = request.query("ms", "0")
        if not text.isdecimal() or int(text) > MAX_DELAY_MS:
            return Response(f"ms must be 0 to {MAX_DELAY_MS}, not {text!r}\n".encode(), 400)
        time.sleep(int(text) / 1000)
        return self._ok(request)

    def _metrics(self, _request: Request) -> Response:
        with self._lock:
            counts, seconds = sorted(self._requests.items()), self._seconds
        lines = [
            "# HELP metrics_echo_requests_total Requests answered.",
            "# TYPE metrics_echo_requests_total counter",
            *(
                f'metrics_echo_requests_total{{method="{method}",code="{code}"}} {count}'
                for (method, code), count in counts
            ),
            "# HELP metrics_echo_request_seconds_total Seconds spent in handlers.",
            "# TYPE metrics_echo_request_seconds_total counter",
            f"metrics_echo_request_seconds_total {seconds:.6f}",
            "# HELP metrics_echo_start_time_seconds Start, in Unix time.",
            "# TYPE metrics_echo_start_time_seconds gauge",
            f"metrics_echo_start_time_seconds {self._started:.3f}",
        ]
        content_type = "text/plain; version=0.0.4; charset=utf-8"
        return Response(("\n".join(lines) + "\n").encode(), content_type=content_type)


def _echo(request: Request) -> Response:
    document = {
        "method": request.method,
        "path": request.target,
        "headers": {name.lower(): value for name, value in request.headers},
        "body": request.body.decode("utf-8", "replace"),
    }
    return Response(json.dumps(document).encode() + b"\n", content_type="application/json")


def handler(environment: Mapping[str, str]) -> Handler:
    """The service for an environment."""
    return MetricsEcho(environment)


def main() -> None:
    """Serve on PORT (default 8080) until SIGTERM."""
    port = int(os.environ.get("PORT", "8080"))
    sys.stderr.write(f"metrics-echo: starting server on :{port}\n")
    serve(handler(os.environ), host="0.0.0.0", port=port)


if __name__ == "__main__":
    main()
