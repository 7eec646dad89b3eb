"""Programs run in running containers: for probes, hooks and `kubectl exec`."""

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from infra.embedded.kubelet.channel import NodeError

if TYPE_CHECKING:
    from infra.embedded.kubelet.containers import ContainerRunner

OUTPUT_BYTES = 10_240  # of what a probe prints


async def exec_probe(
    runner: "ContainerRunner", argv: tuple[str, ...], timeout: float
) -> tuple[int, str]:
    """Run a program for at most `timeout` real seconds; returns its exit code and output."""
    read, write = os.pipe()
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        process = await runner.execute(argv, (null, write, write))
    except NodeError as error:
        os.close(read)
        return 1, str(error)
    finally:
        os.close(write)
        os.close(null)
    try:
        async with asyncio.timeout(timeout):
            if problem := await process.started():
                return 126, problem
            code = await process.exited()
    except TimeoutError:
        process.signal(signal.SIGKILL)
        return 1, f"command timed out after {timeout:g}s"
    else:
        os.set_blocking(read, False)
        try:
            return code, os.read(read, OUTPUT_BYTES).decode("utf-8", "replace")
        except BlockingIOError:
            return code, ""
    finally:
        os.close(read)
