"""What a request asks of a kind cluster, held against the cluster that is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from harness.core.errors import UsageError
from harness.ports import ClusterRequest
from infra.clusters.kind_config import HostPorts, host_ports, shipped_config, without_digest
from infra.clusters.state import CreatedCluster

_OPTIONS: Final = ("http-port", "https-port", "address", "image")
_RECORDED: Final = {
    "http-port": "http_port",
    "https-port": "https_port",
    "address": "address",
    "image": "node_image",
}


def asked_ports(request: ClusterRequest) -> HostPorts:
    """The host ports of a cluster that is to be created.

    Errors:
        UsageError: an option that kind does not have, or a port that is none.
    """
    unknown = sorted(set(request.options) - set(_OPTIONS))
    if unknown:
        raise UsageError(
            f"kind has no option {', '.join(unknown)}", mend=f"it has: {', '.join(_OPTIONS)}"
        )
    return _ports(request.options, host_ports(shipped_config()))


def recorded_ports(request: ClusterRequest, record: CreatedCluster) -> HostPorts:
    """The host ports of a cluster that was created: they cannot be changed any more.

    Errors:
        UsageError: the request asks for something that the cluster is not.
    """
    if request.fresh:
        raise UsageError(
            f"the kind cluster {record.name} is there, and a fresh one was asked for",
            mend=f"vpm cluster down {record.name} --cluster kind, then the same command again",
        )
    for option, key in _RECORDED.items():
        asked, is_now = request.options.get(option), record.details.get(key)
        if asked and is_now and asked not in (is_now, without_digest(is_now)):
            raise UsageError(
                f"the kind cluster {record.name} was created with {option} {is_now}, not {asked}",
                mend=f"leave --{'kind-' * (option == 'image')}{option} out, or create it again: "
                f"vpm cluster down {record.name} --cluster kind",
            )
    details = {option: record.details[key] for option, key in _RECORDED.items()
               if key in record.details}  # fmt: skip
    return _ports(details, host_ports(shipped_config()))


def _ports(options: Mapping[str, str], default: HostPorts) -> HostPorts:
    return HostPorts(
        address=options.get("address", default.address),
        http=_port(options.get("http-port", str(default.http))),
        https=_port(options.get("https-port", str(default.https))),
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise UsageError(f"{text!r} is not a port", mend="a number from 1 to 65535")
    return int(text)
