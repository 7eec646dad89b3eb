"""The gateway: a real Envoy, programmed as kourier programs it."""

from infra.embedded.gateway.gateway import Gateway
from infra.embedded.gateway.process import EnvoyError
from infra.embedded.gateway.settings import GatewaySettings

__all__ = ["EnvoyError", "Gateway", "GatewaySettings"]
