"""Running the engine inside the test process, for the cases where only its samples matter."""

from __future__ import annotations

import json
from typing import Any

from probes.agent.planfile import parse_plan
from probes.agent.sample import Sample
from probes.agent.session import Session
from probes.agent.summary import Summary


def run_plan(plan: dict[str, Any], **surroundings: Any) -> tuple[list[Sample], Summary]:
    """The samples and the summary of `plan`; `surroundings` replace parts of the system."""
    samples: list[Sample] = []
    session = Session(
        parse_plan(json.dumps(plan)), write=samples.append, flush=lambda: None, **surroundings
    )
    return samples, session.run()


def run_target(**target: Any) -> list[Sample]:
    """The samples of one target, `url` and whatever differs from the defaults."""
    return run_plan({"targets": [{"name": "t", "rate": 1000, **target}]})[0]


def probe(url: str, **target: Any) -> Sample:
    """The sample of one attempt at `url`."""
    (sample,) = run_target(url=url, **target)
    return sample
