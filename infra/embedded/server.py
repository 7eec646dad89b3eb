"""One cluster in one process: the parts, wired together, from start to clean end."""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import uvicorn

from infra.embedded import kubeconfig, parts
from infra.embedded.address import can_bind, free_address, listen
from infra.embedded.api.app import application
from infra.embedded.api.context import Api
from infra.embedded.api.version import INFO, KNATIVE, KOURIER
from infra.embedded.bootstrap import bootstrap
from infra.embedded.certs import Authority, write_private
from infra.embedded.clock import Clock, rfc3339
from infra.embedded.crds import Definitions
from infra.embedded.kinds import Registry
from infra.embedded.settings import Settings
from infra.embedded.storage import Storage
from infra.embedded.store import Store

_KEEP_ALIVE = 120  # seconds: kubectl and client libraries keep connections for 90


class AlreadyRunning(Exception):
    """Another process serves the same state directory."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the cluster answers."""

    gateway: str
    api: socket.socket

    @property
    def server(self) -> str:
        host, port = self.api.getsockname()
        return f"https://{host}:{port}"


def serve(settings: Settings) -> None:
    """Run the cluster until SIGTERM or SIGINT; raises AlreadyRunning."""
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock(settings.state_dir / "lock"):
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(_run(settings))
        finally:
            settings.cluster_file.unlink(missing_ok=True)
    if settings.ephemeral:
        shutil.rmtree(settings.state_dir)


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(settings: Settings) -> None:
    clock = Clock(settings.time_scale)
    registry = Registry()
    definitions = Definitions(registry)
    storage = Storage(settings.state_dir / "state.db")
    store = Store(clock, storage, registry, definitions.define)
    endpoints = _endpoints(settings)
    domain = f"{endpoints.gateway}.sslip.io"
    bootstrap(store, domain)
    node = parts.build(settings, store, clock, endpoints.gateway, endpoints.api.getsockname())
    token = _token(settings.state_dir / "token")
    api = Api(store, clock, token, endpoints.server.removeprefix("https://"), node.pods)
    authority = Authority.open(settings.state_dir / "pki", settings.name)
    server = _Server(_config(settings, api, authority, endpoints.gateway))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with asyncio.TaskGroup() as group:
            answering = group.create_task(server.serve(sockets=[endpoints.api]))
            components = [
                group.create_task(part.run())
                for part in (*node.components, definitions.controller(store))
            ]
            await node.ready()
            kubeconfig.write(
                settings.kubeconfig,
                name=settings.name,
                server=endpoints.server,
                authority=authority.pair.certificate,
                token=token,
            )
            _announce(settings, node, endpoints, clock)
            await stop.wait()
            store.changes.close()
            for task in components:
                task.cancel()
            await asyncio.gather(*components, return_exceptions=True)
            server.should_exit = True
            await answering
    finally:
        storage.close()


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the cluster decides when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(settings: Settings, api: Api, authority: Authority, host: str) -> uvicorn.Config:
    names = [host, "localhost", "kubernetes", "kubernetes.default.svc", "10.96.0.1"]
    pair = authority.issue("kube-apiserver", names)
    certificate, key = pair.save(settings.state_dir / "pki", "apiserver")
    return uvicorn.Config(
        application(api),
        http="httptools",
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=1,
        ssl_certfile=str(certificate),
        ssl_keyfile=str(key),
    )


def _endpoints(settings: Settings) -> Endpoints:
    """The addresses of last time where they are still free, so that URLs survive a restart."""
    last = _last_address(settings.state_dir / "address")
    gateway = settings.address or (last if last and can_bind(last, 0) else None)
    gateway = gateway or free_address((settings.api_port,))
    write_private(settings.state_dir / "address", gateway.encode())
    return Endpoints(gateway, listen(gateway, settings.api_port))


def _last_address(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def _token(path: Path) -> str:
    """The bearer token of the cluster; made once."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32).encode())
    return path.read_text()


def _announce(settings: Settings, node: "parts.Node", endpoints: Endpoints, clock: Clock) -> None:
    """Write cluster.json: the cluster is ready."""
    content = {
        "name": settings.name,
        "pid": os.getpid(),
        "provider": "embedded",
        "kubeconfig": str(settings.kubeconfig),
        "server": endpoints.server,
        "gateway": {"address": endpoints.gateway, **node.gateway_ports},
        "domain": f"{endpoints.gateway}.sslip.io",
        "time_scale": settings.time_scale,
        "pod_network": node.pod_network,
        "version": {"kubernetes": INFO["gitVersion"], "knative": KNATIVE, "kourier": KOURIER},
        "started_at": rfc3339(clock.now()),
    }
    write_private(settings.cluster_file, json.dumps(content, indent=2).encode() + b"\n")


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[IO[str]]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunning(f"a cluster is already running in {path.parent}") from error
        yield file
