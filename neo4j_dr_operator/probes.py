"""The probes of the operator's own pod: `/healthz` and `/readyz` on one port.

Both are answered by the loop that carries the controllers. `/healthz` says that the loop turns, nothing more: what is
wrong with a database or the API server is no reason to restart the operator. `/readyz` says that it sees its resources.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Reason = Callable[[], Awaitable[str | None]]
"""Answers why the operator is not ready, None when it is."""


@asynccontextmanager
async def serving(port: int, not_ready: Reason) -> AsyncIterator[None]:
    """Answer probes on `port` of every address while inside; 0: no port. Raises OSError when the port is taken."""
    if not port:
        yield
        return

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        reason = await not_ready()
        return web.Response(text=f"{reason or 'ok'}\n", status=503 if reason else 200)

    application = web.Application()
    application.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(application, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()
