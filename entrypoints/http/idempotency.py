"""Requests that may come again: with an `Idempotency-Key`, what was done once is not done twice.

See draft-ietf-httpapi-idempotency-key-header-07. The key may come quoted, as the draft has it, or bare.
"""

import contextlib
import hmac
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, NewType

import msgspec
from litestar import MediaType, Request, Response

from application.replies import IdempotencyInProgress, IdempotencyKeyReused, Replies, Reply, ReplyKey
from domain.access import Actor, Client
from domain.errors import Unavailable
from domain.ids import UserId
from entrypoints.http.problems import HttpError
from entrypoints.http.requests import header_values

FingerprintKey = NewType("FingerprintKey", bytes)

HEADER = "Idempotency-Key"
IDEMPOTENCY = (IdempotencyKeyReused, IdempotencyInProgress)
"""What an operation that takes a key can raise beside its own errors."""

KEY_MAX = 128
_KEY = re.compile(rf'"[\x21\x23-\x5b\x5d-\x7e]{{1,{KEY_MAX}}}"|[\x21\x23-\x5b\x5d-\x7e]{{1,{KEY_MAX}}}')


class Idempotency:
    """Answers a request that comes again as it was answered before.

    Only success is kept: a request that was refused, or failed, has done nothing and may simply be repeated.
    """

    def __init__(self, replies: Replies, fingerprint_key: FingerprintKey) -> None:
        self._replies = replies
        self._fingerprint_key = fingerprint_key

    async def once[View](
        self,
        request: Request[Any, Any, Any],
        body: object,
        act: Callable[[], Awaitable[Response[View]]],
        *,
        caller: Actor | Client,
        owner_of: Callable[[Any], UserId | None] = lambda _: None,
    ) -> Response[View]:
        """Return what `act` answers, or what it answered when this request came first.

        The body is the decoded one: how it was written does not matter. The reply is kept as long as the account
        lives that `owner_of` names, or the caller's. Raises what `Replies` and `act` raise, and HttpError.
        """
        key = _key_of(request)
        if key is None:
            return await act()
        owner_id = caller.user_id if isinstance(caller, Actor) else None
        route = f"{request.method} {request.scope['path_template']}"
        kept = await self._replies.claim(
            ReplyKey(_name_of(caller), route, key), self._fingerprint(body), owner_id=owner_id
        )
        if kept is not None:
            return _respond(kept, replayed=True)
        try:
            response = await act()
            content = response.content
            reply = Reply(
                status=response.status_code or HTTPStatus.OK,
                headers=dict(response.headers),
                body=b"" if content is None else msgspec.json.encode(content),
            )
            await self._replies.keep(reply, owner_id=owner_id or owner_of(content))
        except BaseException:
            # Without a database to tell, the claim ends by itself.
            with contextlib.suppress(Unavailable):
                await self._replies.abandon()
            raise
        return _respond(reply, replayed=False)

    def _fingerprint(self, body: object) -> bytes:
        # With a key, because a body may hold a password: a plain hash of it would invite guessing.
        # What can't be encoded is a part that could not be read; it is refused in any case.
        canonical = msgspec.json.encode(body, order="deterministic", enc_hook=repr)
        return hmac.digest(self._fingerprint_key, canonical, "sha256")


def _name_of(caller: Actor | Client) -> str:
    """Return who may have a reply again: an API key only its own, as it may be allowed less than its account."""
    if isinstance(caller, Client):
        return f"address {caller.ip}"
    return f"account {caller.user_id}" if caller.api_key_id is None else f"api key {caller.api_key_id}"


def _key_of(request: Request[Any, Any, Any]) -> str | None:
    values = header_values(request.scope, HEADER.lower().encode())
    if not values:
        return None
    if len(values) > 1 or not _KEY.fullmatch(values[0]):
        raise HttpError(
            HTTPStatus.BAD_REQUEST,
            "malformed_header",
            f"{HEADER} must be one key of 1 to {KEY_MAX} visible ASCII characters, such as a UUID.",
        )
    return values[0].strip('"')


def _respond(reply: Reply, *, replayed: bool) -> Response[Any]:
    return Response(
        reply.body or None,
        status_code=reply.status,
        headers={**reply.headers, **({"Idempotency-Replayed": "true"} if replayed else {})},
        media_type=MediaType.JSON if reply.body else MediaType.TEXT,
    )
