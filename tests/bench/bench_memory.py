"""A million probes in bounded memory: ``python -m tests.bench.bench_memory [COUNT]``.

One engine probes a local server over kept connections, as fast as it can, and writes no line for
each attempt. The greatest resident size may not grow by more than 16 MB from a hundredth of the
way to the end. Exit code 1 when it does, or when an attempt is missing from the summary.
"""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from probes.build import cached_agent

COUNT = 1_000_000
MAY_GROW_MB = 16.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello World!\n"


@contextlib.contextmanager
def keeping_server() -> Iterator[int]:
    """A server that answers every packet on a kept connection; yields its port."""

    def answer(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            while sock.recv(65536):
                sock.sendall(ANSWER)

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=answer, args=(sock,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def run(port: int, count: int) -> tuple[int, float]:
    """How many attempts the summary of `count` probes counts, and the largest size (MB)."""
    target = {"name": "t", "url": f"http://127.0.0.1:{port}/", "keepalive": True}
    plan = {
        "concurrency": 8,
        "samples": "none",
        "targets": [{**target, "requests": count, "rate": 100_000}],
    }
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(cached_agent()), "-"],
        input=json.dumps(plan).encode(),
        capture_output=True,
        check=True,
    )
    (summary,) = json.loads(done.stdout.splitlines()[-1])["targets"]
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return summary["latency"]["ok"]["total"]["count"], largest


def main(count: int) -> int:
    """Print what a hundredth of `count` and all of it took; returns the exit code."""
    with keeping_server() as port:
        sizes = []
        for number in (count // 100, count):
            began = time.perf_counter()
            counted, largest = run(port, number)
            took = time.perf_counter() - began
            print(f"{number:>9} probes: {took:6.1f} s, {counted} counted, {largest:.1f} MB at most")
            if counted != number:
                return 1
            sizes.append(largest)
    return 0 if sizes[1] - sizes[0] <= MAY_GROW_MB else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT))
