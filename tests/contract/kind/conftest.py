"""A machine with a documented kind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api_server import serving
from tests.support.fake_kube import FakeKube, namespace
from tests.support.kind_machine import Machine, documented, free_port


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    kube = FakeKube(namespace("kube-system"), namespace("default"))
    with contextlib.ExitStack() as stack, serving(kube) as server:
        text = server.write_kubeconfig(tmp_path / "template", "kind-vpm-mini").read_text()
        machine = Machine(tmp_path, kube, server, stack, free_port(), documented(text))
        kube.on_write = machine.open_gateway
        yield machine
