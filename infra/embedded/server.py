"""One cluster in one process: the parts, wired together, from start to clean end."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import shutil
import signal
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from infra.embedded import kubeconfig
from infra.embedded.address import can_bind, free_address, listen
from infra.embedded.api.app import Application
from infra.embedded.api.context import Api
from infra.embedded.api.openapi import Documents
from infra.embedded.api.version import INFO, KNATIVE, KOURIER
from infra.embedded.bootstrap import bootstrap
from infra.embedded.certs import Authority, write_private
from infra.embedded.clock import Clock
from infra.embedded.crds import Definitions
from infra.embedded.faults import BreakableApi
from infra.embedded.kinds import Registry
from infra.embedded.node.launch import Launched
from infra.embedded.parts import Component, Parts
from infra.embedded.settings import Settings
from infra.embedded.storage import Storage
from infra.embedded.store import Store
from infra.embedded.timekeeper import Timekeeper, last_shown

_log = logging.getLogger(__name__)
_KEEP_ALIVE = 120  # seconds: kubectl and client libraries keep connections for 90


def serve(settings: Settings, launched: Launched) -> None:
    """Run the cluster, whose node's processes are starting, until SIGTERM or SIGINT.

    The caller holds the state directory.  Raises OSError or a part's own error when the cluster
    cannot start.
    """
    settings.cluster_file.unlink(missing_ok=True)
    was_asked = False
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_Cluster(settings, launched).run())
        was_asked = True
    finally:
        was_ready = settings.cluster_file.exists()
        settings.cluster_file.unlink(missing_ok=True)
        # Else it could not start, and whoever started it reads the log there.
        if settings.ephemeral and (was_ready or was_asked):
            shutil.rmtree(settings.state_dir, ignore_errors=True)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


class _Cluster:
    """The objects of one running cluster."""

    def __init__(self, settings: Settings, launched: Launched) -> None:
        self._settings = settings
        folder = settings.state_dir
        self._clock = Clock(settings.time_scale, last_shown(folder / "time"))
        self._timekeeper = Timekeeper(self._clock, folder / "time")
        registry = Registry()
        self._definitions = Definitions(registry)
        self._storage = Storage(folder / "state.db")
        self._store = Store(self._clock, self._storage, registry, self._definitions.define)
        self._authority = Authority.open(folder / "pki", settings.name)
        self._token = _kept(folder / "token", lambda: secrets.token_urlsafe(32))
        self._address = settings.address or _address(folder / "address", settings.api_port)
        self._socket = listen(self._address, settings.api_port)
        self._parts = Parts(
            settings, self._store, self._clock, self._authority, launched, self._token
        )

    async def run(self) -> None:
        """Start everything, serve until a signal, end everything."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        domain, node = f"{self._address}.sslip.io", self._settings.node
        bootstrap(self._store, domain=domain, node=node, api=self._where)
        api = Api(self._store, self._clock, self._token, self._host_port, self._parts,
                  Documents(self._store.registry))  # fmt: skip
        front = BreakableApi(Application(api), self._clock)
        server = _Server(self._uvicorn(front))
        answering = asyncio.create_task(server.serve(sockets=[self._socket]))
        answering.add_done_callback(lambda _: stop.set())  # should it fail, so does the cluster
        self._write_kubeconfig()  # the API answers from here on, before the rest is ready
        try:
            await _unless(stop, self._serve(front))
        finally:
            self._store.changes.close()
            await self._parts.stop()
            server.should_exit = True
            await answering
            self._storage.close()

    async def _serve(self, front: BreakableApi) -> None:
        """Start the parts and run them until cancelled; the failure of one ends the cluster."""
        components = await self._parts.start(self._address, self._where, front)
        async with asyncio.TaskGroup() as group:
            for component in components:
                group.create_task(_run_for_ever(component))
            await self._parts.settle()
            self._announce()
            for component in (self._definitions.controller(self._store), self._timekeeper):
                group.create_task(_run_for_ever(component))

    @property
    def _where(self) -> tuple[str, int]:
        host, port = self._socket.getsockname()
        return host, port

    @property
    def _host_port(self) -> str:
        host, port = self._where
        return f"{host}:{port}"

    def _uvicorn(self, front: BreakableApi) -> uvicorn.Config:
        names = [self._address, "localhost", "10.96.0.1", "kubernetes", "kubernetes.default",
                 "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]  # fmt: skip
        pair = self._authority.issue("kube-apiserver", names)
        certificate, key = pair.save(self._settings.state_dir / "pki", "apiserver")
        return uvicorn.Config(
            front,
            http="httptools",
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=0,  # watches never end by themselves
            ssl_certfile=str(certificate),
            ssl_keyfile=str(key),
        )

    def _write_kubeconfig(self) -> None:
        kubeconfig.write(
            self._settings.kubeconfig,
            name=self._settings.name,
            server=f"https://{self._host_port}",
            authority=self._authority.pair.certificate,
            token=self._token,
        )

    def _announce(self) -> None:
        """Write cluster.json: the cluster is ready."""
        settings, server = self._settings, f"https://{self._host_port}"
        content: dict[str, Any] = {
            "name": settings.name,
            "pid": os.getpid(),
            "provider": "embedded",
            "kubeconfig": str(settings.kubeconfig),
            "server": server,
            "gateway": {
                "address": self._address,
                "ca": str(self._settings.state_dir / "pki" / "ca.crt"),
                **self._parts.gateway_ports,
            },
            "domain": f"{self._address}.sslip.io",
            "time_scale": settings.time_scale,
            "pod_network": self._parts.pod_network,
            "pod_network_reason": self._parts.pod_network_reason,
            "version": {"kubernetes": INFO["gitVersion"], "knative": KNATIVE, "kourier": KOURIER},
            "capabilities": ["exec", "faults", "logs"],
            "started_at": self._clock.stamp(),
        }
        write_private(settings.cluster_file, json.dumps(content, indent=2).encode() + b"\n")
        _log.info("cluster %s is ready at %s", settings.name, server)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do the work until the event, which ends it wherever it is; raises the work's own error."""
    doing, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        doing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await doing


async def _run_for_ever(component: Component) -> None:
    """Run a part that has no end; raises RuntimeError should it come to one."""
    await component.run()
    raise RuntimeError(f"{type(component).__name__} has ended, and the cluster with it")


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the cluster decides when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _kept(path: Path, make: Callable[[], str]) -> str:
    """A value that is made once and then kept in a private file."""
    if not path.exists():
        write_private(path, make().encode())
    return path.read_text()


def _address(path: Path, port: int) -> str:
    """The address of last time where it can still be bound, so that URLs survive a restart."""
    address = _kept(path, lambda: free_address((port,)))
    if not can_bind(address, 0):
        address = free_address((port,))
        write_private(path, address.encode())
    return address
