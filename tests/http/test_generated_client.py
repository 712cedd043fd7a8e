"""The document is enough to go by: a typed client is made from it, and used as its types say."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import httpx
import pytest

from entrypoints.http.app import openapi_document
from tests.api import Api
from tests.builders import PASSWORD, an_email

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("generated_client.yml")

# The generator takes longer than the tests: of all workers, one should run it.
pytestmark = pytest.mark.process

type Generated = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generated]:
    """Provide the modules of the client, by their names within it.

    The generator is in an environment of its own: it needs libraries that would change how Portico itself starts.
    """
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv, "run the tests with uv: it makes the environment of the generator"
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_bytes(openapi_document())
    environment = ["--isolated", "--locked", "--only-group", "client", "--python", sys.executable]
    generate = ["generate", "--path", "openapi.json", "--output-path", "made", "--config", str(CONFIG)]
    made = subprocess.run(  # noqa: S603 - ours
        [uv, "run", "--project", str(ROOT), *environment, "openapi-python-client", *generate],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    # Of the two kinds of file that are imported, it leaves out the second.
    assert re.findall("WARNING .*|Unsupported .*", made.stderr) == [
        "WARNING parsing POST /api/v1/items/import within items.",
        "Unsupported content type text/csv",
    ]
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(folder / "made")
        yield lambda name: importlib.import_module(f"portico_client.{name}")


class Client:
    """The generated client, as somebody or as nobody."""

    def __init__(self, generated: Generated, api: Api, token: str | None = None) -> None:
        self._generated = generated
        package = generated("client")
        kinds = {"base_url": "http://testserver"}
        self._client: Any = (
            package.Client(**kinds) if token is None else package.AuthenticatedClient(**kinds, token=token)
        )
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._client.set_async_httpx_client(
            httpx.AsyncClient(transport=api.client._transport, base_url="http://testserver", headers=headers)  # noqa: SLF001 - there is no other way to it
        )

    async def call(self, operation: str, *arguments: object, **named: object) -> Any:
        """Call an operation, such as `items.add_item`, and return the whole answer."""
        return await self._generated(f"api.{operation}").asyncio_detailed(*arguments, client=self._client, **named)


async def test_the_journey_of_a_client_that_was_generated(generated: Generated, stored_api: Api) -> None:
    models, types = generated("models"), generated("types")
    stranger = Client(generated, stored_api)
    email = an_email()

    signed_up = await stranger.call("users.sign_up", body=models.SignUpBody(email=email, password=PASSWORD))
    tokens = (await stranger.call("auth.login", body=models.LoginBody(email=email, password=PASSWORD))).parsed
    assert isinstance(signed_up.parsed, models.User)
    assert isinstance(tokens, models.Tokens)
    ann = Client(generated, stored_api, tokens.access_token)

    # What is made twice under one key is made once.
    draft = models.NewItemBody(title="Oat milk", description="Two litres", tags=["shop"])
    made, again = [await ann.call("items.add_item", body=draft, idempotency_key="oat-milk") for _ in range(2)]
    item = made.parsed
    assert isinstance(item, models.Item)
    assert isinstance(item.id, UUID)
    assert isinstance(item.created_at, datetime)
    assert again.parsed == item
    assert again.headers["idempotency-replayed"] == "true"

    # All or none of a batch; a bad row is pointed at.
    batch = models.NewItemsBody(items=[models.NewItemBody(title=f"item {number}") for number in range(3)])
    added = (await ann.call("items.add_items", body=batch)).parsed
    batch.items[1].title = ""
    refused = (await ann.call("items.add_items", body=batch)).parsed
    assert [each.title for each in added.data] == ["item 0", "item 1", "item 2"]
    assert isinstance(refused, models.Problem)
    assert (refused.code, [error.pointer for error in refused.errors]) == ("validation_failed", ["/items/1/title"])

    # Lists: filtered, sorted, page by page.
    newest_last = models.ListItemsSort.TITLE
    first = (await ann.call("items.list_items", q="ITEM", sort=newest_last, limit=2)).parsed
    second = (await ann.call("items.list_items", q="ITEM", sort=newest_last, limit=2, cursor=first.next_cursor)).parsed
    tagged = (await ann.call("items.list_items", tag="shop", created_after=datetime(2020, 1, 1, tzinfo=UTC))).parsed
    assert [each.title for page in (first, second) for each in page.data] == ["item 0", "item 1", "item 2"]
    assert second.next_cursor is None
    assert tagged.data == [item]

    # A change of what somebody else has changed meanwhile is refused.
    shown = await ann.call("items.show_item", item.id)
    tag = shown.headers["etag"]
    patch = models.ItemPatchBody(description=None)
    edited = (await ann.call("items.edit_item", item.id, body=patch, if_match=tag)).parsed
    stale = (await ann.call("items.edit_item", item.id, body=patch, if_match=tag)).parsed
    assert (edited.title, edited.description, edited.version) == ("Oat milk", None, 2)
    assert (stale.status, stale.code) == (412, "precondition_failed")

    # Files.
    lines = BytesIO(b'{"title":"Bread"}\n{"title":7}\n')
    report = (await ann.call("items.import_items", body=types.File(payload=lines.getvalue()))).parsed
    exported = (await ann.call("items.export_items", format_=models.RowFormat.NDJSON)).parsed
    assert (report.created, report.failed) == (1, 1)
    assert [(error.line, error.pointer) for error in report.errors] == [(2, "/title")]
    assert [json.loads(line)["title"] for line in exported.payload.getvalue().splitlines()][-1] == "Bread"

    # The end of the item, and of the session.
    assert (await ann.call("items.delete_item", item.id)).status_code == 204
    assert (await ann.call("items.show_item", item.id)).parsed.code == "not_found"
    assert (await ann.call("auth.logout")).status_code == 204
    assert (await ann.call("users.show_profile")).parsed.status == 401
