"""Pulling an image: found in the catalogue at once, else failing for as long as the pod lives."""

from collections.abc import Callable

from infra.embedded import events
from infra.embedded.kubelet.images import Image, ImageError
from infra.embedded.kubelet.node import Backoff
from infra.embedded.kubelet.sandbox import Sandbox
from infra.embedded.kubelet.status import Obj, waiting

NOTICE = 1.0  # cluster seconds until the kubelet looks at a failed pull again


async def pull(sandbox: Sandbox, name: str, show: Callable[[Obj], None]) -> Image:
    """What stands for an image; `show` is told each state on the way."""
    backoff = Backoff()
    while True:
        try:
            image = sandbox.node.catalogue.find(name)
        except ImageError as error:
            await _fail(sandbox, name, error.pulling, show, backoff.next())
            continue
        message = f'Container image "{name}" already present on machine'
        sandbox.event(events.NORMAL, "Pulled", message)
        return image


async def _fail(
    sandbox: Sandbox, name: str, why: str, show: Callable[[Obj], None], delay: float
) -> None:
    sandbox.event(events.NORMAL, "Pulling", f'Pulling image "{name}"')
    sandbox.event(events.WARNING, "Failed", f'Failed to pull image "{name}": {why}')
    sandbox.event(events.WARNING, "Failed", "Error: ErrImagePull")
    show(waiting("ErrImagePull", why))
    await sandbox.node.clock.sleep(NOTICE)
    sandbox.event(events.NORMAL, "BackOff", f'Back-off pulling image "{name}"')
    sandbox.event(events.WARNING, "Failed", "Error: ImagePullBackOff")
    show(waiting("ImagePullBackOff", f'Back-off pulling image "{name}": ErrImagePull: {why}'))
    await sandbox.node.clock.sleep(delay - NOTICE)
