"""Load on one service through the gateway. Run by Locust in a process of its own, never imported.

Settings come from the environment, since Locust's own options cannot carry them:
VPM_LOAD_HOST (Host header), VPM_LOAD_PATH, VPM_LOAD_TIMEOUT (seconds), VPM_LOAD_STATUS,
VPM_LOAD_SECONDS (how long) and VPM_LOAD_RESULT (a file for what Locust's JSON leaves out).
"""

import json
import os
import time
from pathlib import Path

import gevent
from locust import FastHttpUser, constant, events, task
from locust.env import Environment

HOST_HEADER = os.environ["VPM_LOAD_HOST"]
PATH = os.environ["VPM_LOAD_PATH"]
STATUS = int(os.environ["VPM_LOAD_STATUS"])
SECONDS = float(os.environ["VPM_LOAD_SECONDS"])
TIMES: dict[str, float] = {}


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


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def begin(environment: Environment, **_: object) -> None:
    """Time the load from here.

    Locust's --run-time counts from when its event loop last looked at the clock, which was before
    it loaded: on a busy machine that takes seconds off the load without a word.
    """
    gevent.get_hub().loop.update_now()
    TIMES["begin"] = time.monotonic()
    assert environment.runner is not None
    gevent.spawn_later(SECONDS, environment.runner.quit)


@events.test_stopping.add_listener  # type: ignore[untyped-decorator]
def end(**_: object) -> None:
    TIMES["end"] = time.monotonic()


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def write_result(environment: Environment, **_: object) -> None:
    """Leave the failures by their words, and how long the load really was."""
    errors = {str(entry.error): entry.occurrences for entry in environment.stats.errors.values()}
    result = {"errors": errors, "seconds": TIMES["end"] - TIMES["begin"]}
    Path(os.environ["VPM_LOAD_RESULT"]).write_text(json.dumps(result), encoding="utf-8")
