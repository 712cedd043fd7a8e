"""The export of an account as JSON, made piece by piece."""

from collections.abc import AsyncIterator, Sequence

import msgspec

from application.auth.export import AccountExport


async def export_as_json(export: AccountExport) -> AsyncIterator[bytes]:
    """Yield the parts of one JSON object; no more than a page of what may be long is in memory at once."""
    head = {
        "account": export.account,
        "totp_enabled": export.totp_enabled,
        "sessions": export.sessions,
        "api_keys": export.api_keys,
        "letters": export.letters,
    }
    yield msgspec.json.encode(head).removesuffix(b"}")
    async for part in _array("audit_events", export.audit_events):
        yield part
    async for part in _array("items", export.items):
        yield part
    yield b"}"


async def _array(name: str, pages: AsyncIterator[Sequence[object]]) -> AsyncIterator[bytes]:
    yield b"," + msgspec.json.encode(name) + b":["
    separator = b""
    async for page in pages:
        if page:
            yield separator + b",".join(map(msgspec.json.encode, page))
            separator = b","
    yield b"]"
