"""The versions of `versions.yaml` as types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import yaml

from harness.core.errors import UsageError

COMPONENTS: Final = ("serving-crds", "serving-core", "kourier")
"""The manifests of an installation, in the order in which they are applied."""


@dataclass(frozen=True, slots=True)
class Release:
    """One installable version: `name` is `1.18`; URLs by component."""

    name: str
    serving: str
    kourier: str
    kubernetes_minimum: str
    supported: bool
    urls: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Download:
    """A program that may be downloaded: its checksum (SHA-256) by platform, `linux-amd64`."""

    version: str
    url: str
    sha256: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All releases, and what is known of kind's. `node_images` are named by tag and digest."""

    releases: tuple[Release, ...]
    kind_minimum: str
    node_images: Mapping[str, str]
    kind_download: Download

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the releases, oldest first."""
        return tuple(release.name for release in self.releases)

    def release(self, name: str) -> Release:
        """The release of this name.

        Errors:
            UsageError: there is none.
        """
        for release in self.releases:
            if release.name == name:
                return release
        raise UsageError(
            f"Knative {name} is not in the catalogue", mend=f"there are: {', '.join(self.names)}"
        )


@cache
def load_catalogue() -> Catalogue:
    """The catalogue that is shipped with the package."""
    return parse_catalogue(files("infra.knative").joinpath("versions.yaml").read_text("utf-8"))


def parse_catalogue(text: str) -> Catalogue:
    """The catalogue of a YAML text."""
    data = yaml.safe_load(text)
    releases = [
        Release(
            name=name,
            supported=name == data["supported"],
            urls={key: data["sources"][key].format(**entry) for key in COMPONENTS},
            **entry,
        )
        for name, entry in data["releases"].items()
    ]
    return Catalogue(
        releases=tuple(sorted(releases, key=lambda release: version_tuple(release.name))),
        kind_minimum=data["kind"]["minimum"],
        node_images=data["kind"]["node_images"],
        kind_download=Download(**data["kind"]["download"]),
    )


def version_tuple(text: str) -> tuple[int, ...]:
    """The numbers of a version, for comparing: `v1.33.13-gke.1` is (1, 33, 13)."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in match.group(1).split(".")) if match else ()
