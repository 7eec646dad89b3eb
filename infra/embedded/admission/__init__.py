"""Admission: what is changed in, said about, and refused of an object before it is stored."""

from infra.embedded.admission.attempt import Attempt
from infra.embedded.admission.chain import mutate, validate

__all__ = ["Attempt", "mutate", "validate"]
