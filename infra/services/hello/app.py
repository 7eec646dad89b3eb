"""The hello service: `Hello <TARGET>!` on every path of PORT."""

import os
import sys
from collections.abc import Mapping

from infra.services.http1 import Handler, Request, Response, serve


def handler(environment: Mapping[str, str]) -> Handler:
    """The service for an environment; TARGET names who is greeted (default World)."""
    greeting = f"Hello {environment.get('TARGET', 'World')}!\n".encode()

    def answer(_request: Request) -> Response:
        return Response(greeting)

    return answer


def main() -> None:
    """Serve on PORT (default 8080) of every address until SIGTERM."""
    port = int(os.environ.get("PORT", "8080"))
    target = os.environ.get("TARGET", "World")
    sys.stderr.write(f"hello: starting server on :{port} TARGET={target}\n")
    serve(handler(os.environ), host="0.0.0.0", port=port)


if __name__ == "__main__":
    main()
