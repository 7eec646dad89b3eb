"""How hard hypothesis tries: a few examples by default, many in `make test`."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("quick", max_examples=15, deadline=None)
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.load_profile("quick")
