"""`vpm bundle`: carry manifests, images and programs to a machine without a network."""

from __future__ import annotations

from pathlib import Path

import click

from infra.clusters.command import find_program
from infra.clusters.engine import require_engine
from infra.clusters.errors import ToolMissing
from infra.clusters.images import Docker, build_metrics_echo
from infra.clusters.kind_cli import Kind
from infra.clusters.kind_config import node_image
from infra.knative.bundle import HELLO_IMAGE, IMAGES, NODE_IMAGE, create_bundle, open_bundle
from infra.knative.catalogue import load_catalogue
from infra.knative.manifests import ManifestSource, read_image_map

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def bundle() -> None:
    """Carry everything a cluster needs to a machine without a network."""


@bundle.command()
@click.argument("output", type=_FILE)
@click.option("--knative", default="1.18", show_default=True, help="version of Knative Serving")
@click.option("--manifests", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="folder with the manifests (default: download)")  # fmt: skip
@click.option("--image-map", type=_FILE, help="YAML file with lines of `IMAGE: OTHER-IMAGE`")
@click.option("--images/--no-images", default=True, show_default=True,
              help="pull, build and pack images (needs an engine)")  # fmt: skip
@click.option(
    "--node-image", "node", default="", help="kind node image (default: that of the kind here)"
)
@click.option("--program", "programs", multiple=True, type=click.Path(path_type=Path, exists=True),
              help="a program to pack, such as kind; repeatable")  # fmt: skip
def create(
    output: Path,
    knative: str,
    manifests: Path | None,
    image_map: Path | None,
    images: bool,
    node: str,
    programs: tuple[Path, ...],
) -> None:
    """Write the bundle OUTPUT."""
    docker: Docker | None = None
    ours: tuple[str, ...] = ()
    if images:
        require_engine()
        docker = Docker.on_path()
        ours = (HELLO_IMAGE, *build_metrics_echo(docker))
    source = ManifestSource(
        load_catalogue().release(knative),
        folder=manifests,
        images=read_image_map(image_map) if image_map else {},
    )
    index = create_bundle(
        output,
        source,
        docker=docker,
        images=ours,
        node_image=node or (_node_image(knative) if images else ""),
        programs=programs,
        progress=_progress,
    )
    click.echo(f"{output}: {len(index.files)} files for Knative {index.knative}")


@bundle.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="folder for its files, to be given as --bundle")  # fmt: skip
def load(file: Path, into: Path) -> None:
    """Unpack and check the bundle FILE, and load its images into the engine.

    `vpm cluster up --bundle FOLDER` then brings them into the node.
    """
    index = open_bundle(file, into)
    for name in (NODE_IMAGE, IMAGES):
        if name in index.files:
            _progress(f"loading {name} into the engine")
            Docker.on_path().load(into / name)
    click.echo(f"{into}: Knative {index.knative}; vpm cluster up --bundle {into}")


def _node_image(knative: str) -> str:
    try:
        return node_image(Kind(find_program("kind", variable="KIND_BIN")).version(), knative)
    except ToolMissing:
        _progress("there is no kind here: the bundle gets no node image (--node-image)")
        return ""


def _progress(line: str) -> None:
    click.echo(line, err=True)
