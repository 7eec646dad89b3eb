"""Faults on the embedded cluster: objects of its own API group, reached like any other."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from harness.core.errors import ClusterError, UsageError
from harness.ports import Clock, JsonObject, KubeClient
from harness.timing.wait import WaitTimeout, until
from infra.clusters.resources import FAULT, dig
from infra.kube import ApiError

_TIMEOUT = 15.0
_INVALID = 422


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A fault that is in effect until it is closed."""

    api: KubeClient
    name: str
    clock: Clock

    def close(self) -> None:
        """Mend, and wait until the emulator has really mended it."""
        self.api.delete(FAULT, "", self.name)
        until(
            lambda: self.api.get(FAULT, "", self.name),
            lambda found: found is None,
            what=f"fault {self.name} is mended",
            timeout=_TIMEOUT,
            clock=self.clock,
        )


@dataclass(frozen=True, slots=True)
class EmulatorFaults:
    """Implements `harness.ports.FaultInjector`."""

    api: KubeClient
    clock: Clock

    def inject(self, type: str, parameters: JsonObject) -> InjectedFault:
        """Put a fault into effect and wait until it is.

        Errors:
            UsageError: the emulator does not know the type or refuses the parameters.
            ClusterError: the emulator could not put it into effect.
        """
        name = f"{type}-{secrets.token_hex(3)}"
        body: JsonObject = {
            "apiVersion": f"{FAULT.group}/{FAULT.version}",
            "kind": FAULT.kind,
            "metadata": {"name": name},
            "spec": {"type": type, **parameters},
        }
        try:
            self.api.create(FAULT, "", body)
        except ApiError as error:
            if error.status == _INVALID:
                raise UsageError(
                    _reason(error.message),
                    mend="vpm cluster fault add --help lists the types and what they take",
                ) from error
            raise
        fault = InjectedFault(self.api, name, self.clock)
        try:
            status = until(
                lambda: dig(self.api.get(FAULT, "", name), "status") or {},
                lambda status: status.get("phase") in ("Active", "Failed"),
                what=f"fault {name} is in effect",
                timeout=_TIMEOUT,
                clock=self.clock,
            )
        except WaitTimeout as error:
            fault.close()
            raise ClusterError(error.message, mend="vpm cluster logs says why") from error
        if status["phase"] == "Failed":
            fault.close()
            raise ClusterError(f"{type} cannot be put into effect: {status.get('message', '')}")
        return fault


def _reason(message: str) -> str:
    """What is wrong with the fault, without the words about the request that said it."""
    return message.partition(" is invalid: ")[2].removeprefix("spec: ") or message
