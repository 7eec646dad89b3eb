"""Workloads that stand for parts of the emulator's own process: nothing is run for them."""

from infra.embedded.controllers import meta
from infra.embedded.store import Obj

REPRESENTS = "emulator.vpm.dev/represents"
WHY = "a part of the embedded cluster's own process; no pods run for it"


def is_represented(workload: Obj) -> bool:
    return REPRESENTS in meta.annotations(workload)
