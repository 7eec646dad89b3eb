"""Bytes from one connection to another, both ways, each half closed on its own."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

BLOCK = 65536

Dial = Callable[[], Awaitable[socket.socket]]


async def splice(
    near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Carry bytes between two connections until both directions have ended; closes both."""
    try:
        await asyncio.gather(pump(near[0], far[1]), pump(far[0], near[1]))
    except OSError:
        pass  # one side was reset: the other learns it by the close below
    finally:
        near[1].close()
        far[1].close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until end of file, then pass the end of file on; raises OSError."""
    while data := await reader.read(BLOCK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof() and not writer.is_closing():
        writer.write_eof()


async def serve(listener: socket.socket | tuple[str, int], dial: Dial) -> asyncio.Server:
    """Relay each connection of a listener to what `dial` connects to."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await asyncio.open_connection(sock=await dial())
        except OSError:
            writer.transport.abort()
            return
        await splice((reader, writer), far)

    if isinstance(listener, tuple):
        return await asyncio.start_server(accept, *listener)
    return await asyncio.start_server(accept, sock=listener)
