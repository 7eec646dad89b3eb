"""The server that every prober of a bench talks to: as little of its own time as possible."""

from __future__ import annotations

import socket
import sys

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n"
    b"Connection: close\r\n\r\nHello World!\n"
)


def main() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            sock, _ = listener.accept()
            try:
                if sock.recv(65536):
                    sock.send(ANSWER)
            except OSError:
                pass
            sock.close()


if __name__ == "__main__":
    main()
