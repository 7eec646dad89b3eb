"""A gateway port that somebody else has: the run goes on with another, and says so in its URLs."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

from harness.core.observation import ProbeObserved
from tests.support.runs import finish, start, vpm_command


def test_a_port_already_in_use_is_left_to_its_owner(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as owner:  # every address
        taken: int = owner.getsockname()[1]
        command = vpm_command(f"--port={taken}", "scenarios/goal_m2", reports=tmp_path / "reports")
        run = finish(start(command, home=tmp_path), tmp_path / "reports")
        assert run.exit_code == 0, run.text
        probes = [
            probe
            for step in run.record.steps.values()
            for probe in step.observations
            if isinstance(probe, ProbeObserved) and probe.vantage == "devbox"
        ]
        ports = {urlsplit(probe.url).port for probe in probes}
    assert probes
    assert taken not in ports
    assert None not in ports, "the devbox URL carries the port that was found"
