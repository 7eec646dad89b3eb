"""How hard hypothesis tries, and signals as a terminal gives them.

Hypothesis: a few examples by default, many in `make test`; new ones each time, but in CI the same
ones, so that what fails there is the change's.
"""

from __future__ import annotations

import os
import signal

from hypothesis import settings

_SAME = bool(os.environ.get("CI"))
settings.register_profile("quick", max_examples=15, deadline=None, derandomize=_SAME)
settings.register_profile("thorough", max_examples=100, deadline=None, derandomize=_SAME)
settings.load_profile("quick")

# A shell starts its background jobs with interrupts ignored, and what they start inherits that:
# without this, tests of Ctrl-C would pass in the foreground only.
signal.signal(signal.SIGINT, signal.default_int_handler)
