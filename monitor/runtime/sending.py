"""What a conversation asks for, done: an HTTP request, or a run of one of our own programs. Never raises."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from monitor.actions.receiver import NoResponse, Reply, Response, Run, Sent
from monitor.runtime.post import BODY_MAX, post


async def send(what: Sent, timeout_s: float) -> Reply:
    """Over after `timeout_s`, whatever the other side does."""
    return await (run(what, timeout_s) if isinstance(what, Run) else post(what, timeout_s))


async def run(program: Run, timeout_s: float) -> Reply:
    """The program is killed when its time is over; what it had sent by then stays sent."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", program.module),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return NoResponse("internal")
    try:
        async with asyncio.timeout(timeout_s):
            said, _ = await process.communicate(program.input)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return NoResponse("timeout")
    return Response(200 if process.returncode == 0 else 500, body=said[:BODY_MAX])
