"""How a request's body is read."""

import asyncio
from typing import Any

import httpx
from litestar import Litestar, Request, post

from entrypoints.http.requests import PorticoRequest


@post("/", status_code=200)
async def read_twice(request: Request[Any, Any, Any]) -> dict[str, list[str]]:
    other = PorticoRequest(request.scope, request.receive, request.send)
    async with asyncio.timeout(5):
        bodies = [await request.body(), await request.body(), await other.body()]
        streamed = [part async for part in request.stream()]
    return {"read": [body.decode() for body in bodies], "streamed": [part.decode() for part in streamed if part]}


async def test_a_body_is_received_once_for_whoever_reads_it() -> None:
    app: Any = Litestar([read_twice], request_class=PorticoRequest)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.post("/", content=b"milk")

    assert answer.json() == {"read": ["milk"] * 3, "streamed": ["milk"]}
