"""Load on one service through the gateway. Run by Locust in a process of its own, never imported.

Settings come from the environment, since Locust's own options cannot carry them:
VPM_LOAD_HOST (Host header), VPM_LOAD_PATH, VPM_LOAD_TIMEOUT (seconds), VPM_LOAD_STATUS.
"""

import json
import os
from pathlib import Path

from locust import FastHttpUser, constant, events, task
from locust.env import Environment

HOST_HEADER = os.environ["VPM_LOAD_HOST"]
PATH = os.environ["VPM_LOAD_PATH"]
STATUS = int(os.environ["VPM_LOAD_STATUS"])


class Caller(FastHttpUser):
    """Sends one request after the other: as many are in flight as there are users."""

    wait_time = constant(0)
    connection_timeout = network_timeout = float(os.environ["VPM_LOAD_TIMEOUT"])
    insecure = False
    max_retries = 0
    max_redirects = 0

    @task
    def call(self) -> None:
        with self.client.get(PATH, headers={"Host": HOST_HEADER}, catch_response=True) as answer:
            if answer.status_code != STATUS:
                answer.failure(f"status {answer.status_code}")
            else:
                answer.success()


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def write_errors(environment: Environment, **_: object) -> None:
    """Leave the failures by their words: Locust's own JSON has only their number."""
    errors = {str(entry.error): entry.occurrences for entry in environment.stats.errors.values()}
    Path(os.environ["VPM_LOAD_ERRORS"]).write_text(json.dumps(errors), encoding="utf-8")
