"""Kinds that are only asked, never stored: who am I, and may I."""

from starlette.responses import Response

from infra.embedded.api import body, reply
from infra.embedded.api.context import Api, Call
from infra.embedded.kinds import SELFSUBJECTREVIEW


async def review(api: Api, call: Call) -> Response:
    """Answer a SelfSubjectReview or SelfSubjectAccessReview: whoever gets here may do all."""
    del api
    raw = await body.read(call.request)
    obj, _ = body.decode_object(raw, body.media_type(call.request))
    if call.target.kind == SELFSUBJECTREVIEW:
        user = {"username": call.user.name, "groups": list(call.user.groups)}
        return reply.encoded({**obj, "status": {"userInfo": user}}, code=201)
    return reply.encoded({**obj, "status": {"allowed": call.user.admin}}, code=201)
