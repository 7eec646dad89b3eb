"""Faults for tests and drills: objects of the emulator's own API group, and what they break.

A Fault is in effect from `status.phase: Active` until the object is gone.
"""

from infra.embedded.faults.api import BreakableApi
from infra.embedded.faults.controller import Faults
from infra.embedded.faults.definition import FAULT

__all__ = ["FAULT", "BreakableApi", "Faults"]
