"""How hard hypothesis tries, and signals as a terminal gives them.

Hypothesis: a few examples by default, many in `make test`.
"""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("quick", max_examples=15, deadline=None)
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.load_profile("quick")

# A shell starts its background jobs with interrupts ignored, and what they start inherits that:
# without this, tests of Ctrl-C would pass in the foreground only.
signal.signal(signal.SIGINT, signal.default_int_handler)
