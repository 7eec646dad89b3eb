"""The closed list of outcomes of one probe attempt, and the hop each belongs to.

The list is part of the evidence schema: a new outcome is a new schema version.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.spec.words import Hop as Hop

OUTCOMES_BY_HOP: Mapping[Hop, tuple[str, ...]] = MappingProxyType(
    {
        Hop.RESOLVE: ("dns_not_found", "dns_timeout", "dns_error"),
        Hop.CONNECT: ("connect_refused", "connect_timeout", "connect_unreachable"),
        Hop.TLS: (
            "tls_untrusted",
            "tls_expired",
            "tls_not_yet_valid",
            "tls_name_mismatch",
            "tls_timeout",
            "tls_error",
        ),
        Hop.SEND: ("send_reset", "send_timeout"),
        Hop.WAIT: ("wait_timeout", "reset", "closed_without_response"),
        Hop.TRANSFER: ("transfer_timeout", "truncated", "malformed_response", "too_large"),
        Hop.STATUS: ("status_mismatch",),
        Hop.BODY: ("body_mismatch",),
        Hop.NONE: ("ok",),
        Hop.PROBER: ("prober_error",),
    }
)

HOP_OF: Mapping[str, Hop] = MappingProxyType(
    {outcome: hop for hop, outcomes in OUTCOMES_BY_HOP.items() for outcome in outcomes}
)

OK = "ok"
PROBER_ERROR = "prober_error"
