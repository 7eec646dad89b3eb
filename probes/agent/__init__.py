"""The probe engine: it sends requests, times every phase and says what happened to each.

Only the standard library is imported, and everything runs on Python 3.9 or later, because the same
code is run as one zipapp on a developer's machine and inside pods that have nothing but Python.
The formats it reads and writes are described in ``docs/probe-agent.md``.
"""

AGENT_VERSION = "1.0.0"
SCHEMA_VERSION = 1
