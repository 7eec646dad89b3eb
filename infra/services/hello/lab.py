"""hello with switches for experiments: slow, streamed, failing and inspecting answers.

MODE=exit ends at once with EXIT_CODE (default 3), MODE=notready answers 503 to probes of
`/`; SLOW_START delays the listening by seconds; FORCE_PORT listens elsewhere than told.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from infra.services.hello import app
from infra.services.http1 import Handler, Request, Response, serve

_STARTED = time.monotonic()
_VISIBLE = ("HOME", "HOSTNAME", "K_CONFIGURATION", "K_REVISION", "K_SERVICE", "PATH", "PORT")
MAX_SECONDS = 600.0


def _headers(request: Request) -> Response:
    seen: dict[str, list[str]] = {}
    for name, value in request.headers:
        if name.lower() != "host":
            seen.setdefault("-".join(p.capitalize() for p in name.split("-")), []).append(value)
    shown = (*_VISIBLE, "TARGET")
    document = {
        "contentLength": len(request.body),
        "env": {name: os.environ[name] for name in shown if name in os.environ},
        "headers": dict(sorted(seen.items())),
        "host": request.header("host") or "",
        "method": request.method,
        "pod": os.environ.get("HOSTNAME", ""),
        "proto": request.version,
        "remote": request.remote,
        "te": None,
        "uptime_s": round(time.monotonic() - _STARTED, 6),
        "uri": request.target,
    }
    body = json.dumps(document, separators=(",", ":")) + "\n"
    return Response(body.encode(), content_type="application/json")


def _status(request: Request) -> Response:
    code = int(request.query("code", "200"))
    return Response(f"status {code}\n".encode(), code)


def _sleep(request: Request) -> Response:
    seconds = min(int(request.query("ms", "1000")) / 1000, MAX_SECONDS)
    time.sleep(seconds)
    return Response(f"slept {seconds:g} s\n".encode())


def _stream(request: Request) -> Response:
    count, pause = int(request.query("n", "3")), int(request.query("ms", "100")) / 1000

    def chunks() -> Iterator[bytes]:
        for number in range(count):
            if number:
                time.sleep(min(pause, MAX_SECONDS))
            yield f"chunk {number}\n".encode()
        time.sleep(min(pause, MAX_SECONDS))

    return Response(chunks())


def _big(request: Request) -> Response:
    size, block = int(request.query("bytes", "1048576")), 65536

    def chunks() -> Iterator[bytes]:
        for start in range(0, size, block):
            yield b"x" * min(block, size - start)

    return Response(chunks())


def _body(request: Request) -> Response:
    chunked = "[chunked]" if request.header("transfer-encoding") else "[]"
    length = request.header("content-length") or "-1"
    text = f"bytes={len(request.body)} err=<nil> te={chunked} cl={length}\n"
    return Response(text.encode())


def _close(_request: Request) -> Response:
    return Response(None)


def _exit(request: Request) -> Response:
    code = int(request.query("code", "1"))
    threading.Timer(0.0, os._exit, [code]).start()
    time.sleep(1.0)
    return Response(None)


_ROUTES: dict[str, Callable[[Request], Response]] = {
    "/headers": _headers,
    "/status": _status,
    "/sleep": _sleep,
    "/stream": _stream,
    "/big": _big,
    "/body": _body,
    "/close": _close,
    "/exit": _exit,
}


def handler(environment: Mapping[str, str]) -> Handler:
    """The service for an environment."""
    hello = app.handler(environment)
    not_ready = environment.get("MODE") == "notready"

    def answer(request: Request) -> Response:
        if not_ready and request.path == "/":
            return Response(b"not ready\n", 503)
        try:
            return _ROUTES.get(request.path, hello)(request)
        except ValueError as error:
            return Response(f"bad parameter: {error}\n".encode(), 400)

    return answer


def main() -> None:
    """Serve on FORCE_PORT or PORT (default 8080) until SIGTERM."""
    mode = os.environ.get("MODE", "")
    if mode == "exit":
        sys.stderr.write("fatal: cannot start: config missing\n")
        sys.exit(int(os.environ.get("EXIT_CODE", "3")))
    time.sleep(float(os.environ.get("SLOW_START", "0")))
    port = int(os.environ.get("FORCE_PORT") or os.environ.get("PORT", "8080"))
    target = os.environ.get("TARGET", "World")
    stamp = time.strftime("%Y/%m/%d %H:%M:%S")
    sys.stderr.write(f"{stamp} hello: starting server on :{port} TARGET={target} MODE={mode}\n")
    serve(handler(os.environ), host="0.0.0.0", port=port)


if __name__ == "__main__":
    main()
