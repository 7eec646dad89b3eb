"""`python -m infra.embedded serve --state-dir DIR --name NAME`: one cluster in the foreground."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.embedded.address import is_loopback
from infra.embedded.lock import AlreadyRunning, hold
from infra.embedded.node.launch import launch
from infra.embedded.settings import Settings

_BAD_USAGE = 2
_CANNOT_START = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(
        level=arguments.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for handler in logging.getLogger().handlers:
        handler.setLevel(arguments.log_level.upper())  # components' own logs take more
    settings = _settings(arguments)
    try:
        with hold(settings.state_dir):
            return _serve(settings, arguments.pod_network)
    except AlreadyRunning as error:
        return _fail(error, _BAD_USAGE)


def _serve(settings: Settings, pod_network: str) -> int:
    # Imported only now, so that bad usage is answered at once, and that the node's processes start
    # while the rest is loaded.
    launched = launch(pod_network)
    from infra.embedded.gateway import EnvoyError
    from infra.embedded.kubelet import CatalogueError, NodeError
    from infra.embedded.server import serve

    try:
        serve(settings, launched)
    except CatalogueError as error:
        return _fail(f"--images: {error}", _BAD_USAGE)
    except (NodeError, EnvoyError, OSError) as error:
        return _fail(error, _CANNOT_START)
    except ExceptionGroup as group:  # a part has ended, and the cluster with it
        expected, other = group.split((NodeError, EnvoyError))
        if expected is None or other is not None:
            raise
        return _fail(_first(expected), _CANNOT_START)
    return 0


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """The first error of a group, whatever groups it is wrapped in."""
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _fail(error: Exception | str, code: int) -> int:
    sys.stderr.write(f"error: {error}\n")
    return code


def _settings(arguments: argparse.Namespace) -> Settings:
    return Settings(
        state_dir=arguments.state_dir.resolve(),
        name=arguments.name,
        address=arguments.address,
        port=arguments.port,
        https_port=arguments.https_port,
        time_scale=arguments.time_scale,
        images=tuple(path.resolve() for path in arguments.images),
        ephemeral=arguments.ephemeral,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.embedded", description=__doc__)
    serve = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "serve",
        help="run a cluster until SIGTERM",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    serve.add_argument("--state-dir", type=Path, required=True, help="where its state is kept")
    serve.add_argument("--name", required=True, help="the cluster's name")
    serve.add_argument("--address", type=_address, help="loopback address; default: a free one")
    serve.add_argument("--port", type=_port, default=80, help="the gateway's HTTP port")
    serve.add_argument("--https-port", type=_port, default=443, help="the gateway's HTTPS port")
    serve.add_argument("--time-scale", type=_scale, default=1.0, help="cluster seconds a second")
    serve.add_argument("--images", type=_file, action="append", default=[], metavar="FILE",
                       help="more images for the catalogue")  # fmt: skip
    serve.add_argument("--pod-network", choices=["auto", "loopback"], default="auto",
                       help="auto: namespaces for each pod where the kernel allows")  # fmt: skip
    serve.add_argument("--ephemeral", action="store_true", help="remove the state at the end")
    serve.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"],
                       help="least serious log lines on stderr")  # fmt: skip
    return parser


def _address(text: str) -> str:
    if not is_loopback(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a loopback address (127.x.y.z)")
    return text


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a scale (above 0, at most 1000)")
    return scale


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is not a file")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main())
