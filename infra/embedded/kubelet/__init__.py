"""The kubelet: pods as real local processes."""

from infra.embedded.kubelet.channel import NodeError
from infra.embedded.kubelet.images import Catalogue, CatalogueError, ImageError
from infra.embedded.kubelet.kubelet import ExecStreams, Kubelet
from infra.embedded.kubelet.logs import LogOptions
from infra.embedded.kubelet.network import PodNetwork
from infra.embedded.kubelet.settings import NodeSettings

__all__ = [
    "Catalogue",
    "CatalogueError",
    "ExecStreams",
    "ImageError",
    "Kubelet",
    "LogOptions",
    "NodeError",
    "NodeSettings",
    "PodNetwork",
]
