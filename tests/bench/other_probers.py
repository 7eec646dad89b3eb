"""What the other probers of a bench run: each prints the median of its times in microseconds."""

from __future__ import annotations

_MEASURE = """
import json, sys, time
def measure(once, count):
    took = []
    for _ in range(count + 50):
        began = time.perf_counter_ns()
        once()
        took.append(time.perf_counter_ns() - began)
    print(json.dumps(sorted(took[50:])[count // 2] / 1e3))
"""
PYCURL = f"""{_MEASURE}
import pycurl
curl = pycurl.Curl()
curl.setopt(pycurl.URL, sys.argv[1])
curl.setopt(pycurl.FRESH_CONNECT, 1)
curl.setopt(pycurl.FORBID_REUSE, 1)
curl.setopt(pycurl.WRITEFUNCTION, lambda data: None)
measure(curl.perform, int(sys.argv[2]))
"""
HTTPX = f"""{_MEASURE}
import httpx
def get():
    with httpx.Client() as client:
        client.get(sys.argv[1])
measure(get, int(sys.argv[2]))
"""
# Sharing the client, and with it the TLS context, and keeping no connection: httpx at its best.
HTTPX_SHARED = f"""{_MEASURE}
import httpx
limits = httpx.Limits(max_keepalive_connections=0)
with httpx.Client(limits=limits, trust_env=False) as client:
    measure(lambda: client.get(sys.argv[1]), int(sys.argv[2]))
"""
BARE = f"""{_MEASURE}
import socket, urllib.parse
place = urllib.parse.urlsplit(sys.argv[1])
def exchange():
    with socket.create_connection((place.hostname, place.port)) as sock:
        sock.send(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        while sock.recv(65536):
            pass
measure(exchange, int(sys.argv[2]))
"""
TIMER = """
import json, sys, time
rate, count = float(sys.argv[1]), int(sys.argv[2])
start, late = time.monotonic_ns(), []
for i in range(count):
    due = start + round(i * 1e9 / rate)
    time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
    late.append(time.monotonic_ns() - due)
print(json.dumps(sorted(late)[count * 99 // 100] / 1e3))
"""
