"""What the account pages are, before any browser runs them."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import pytest

from tests.api import Api, problem, serve
from tests.clock import FixedClock
from tests.containers import Overrides, settings_for

EVERY_PAGE = pytest.mark.parametrize("page", ["verify", "reset", "email"])


@pytest.fixture
async def api(clock: FixedClock) -> AsyncIterator[Api]:
    settings = settings_for("memory:", PUBLIC_URL="https://api.example.org")
    async with serve(settings, Overrides(clock)) as api:
        yield api


class Tags(HTMLParser):
    """All tags of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in names]


@EVERY_PAGE
async def test_a_page_may_run_its_own_script_and_nothing_else(api: Api, page: str) -> None:
    answer = await api.get(f"//account/{page}")
    again = await api.get(f"//account/{page}")

    policy = answer.headers["content-security-policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]{22})'", policy)
    assert nonce is not None
    assert policy == (
        f"default-src 'none'; script-src 'nonce-{nonce[1]}'; style-src 'nonce-{nonce[1]}'; connect-src 'self'; "
        "img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert again.headers["content-security-policy"] != policy
    tags = Tags(answer.text)
    assert [attributes["nonce"] for attributes in tags.all("script", "style")] == [nonce[1]] * 2
    named = {name for _, attributes in tags.found for name in attributes}
    assert not {name for name in named if name.startswith("on") or name in ("style", "src", "action")}


@EVERY_PAGE
async def test_a_page_leaves_no_trace_of_where_it_was_opened(api: Api, page: str) -> None:
    answer = await api.get(f"//account/{page}")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    assert "set-cookie" not in answer.headers
    assert "https://" not in answer.text
    assert "http://" not in answer.text


@EVERY_PAGE
async def test_nothing_of_the_request_is_on_a_page(api: Api, page: str) -> None:
    lie = "evil-text"
    plain = await api.get(f"//account/{page}")
    lying = await api.get(f"//account/{page}", headers={"Referer": lie, "X-Forwarded-Host": lie, "User-Agent": lie})

    def without_nonce(text: str) -> str:
        return re.sub(r'nonce="[\w-]+"', "", text)

    assert without_nonce(lying.text) == without_nonce(plain.text)
    problem(await api.get(f"//account/{page}?token=secret"), 422, "validation_failed")


@EVERY_PAGE
async def test_a_page_can_be_used_by_everybody(api: Api, page: str) -> None:
    answer = await api.get(f"//account/{page}")
    tags = Tags(answer.text)

    assert tags.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in tags.all("meta")
    labelled = {attributes.get("for") for attributes in tags.all("label")}
    fields = [attributes for attributes in tags.all("input") if attributes["type"] != "checkbox"]
    assert fields
    assert all(attributes["id"] in labelled and attributes["autocomplete"] for attributes in fields)
    assert [attributes["aria-live"] for attributes in tags.all("p") if attributes.get("role") == "status"] == ["polite"]
    assert "This page needs JavaScript" in answer.text.partition("<noscript>")[2].partition("</noscript>")[0]
    assert len(tags.all("h1")) == len(tags.all("title")) == len(tags.all("main")) == 1
    assert "$" not in answer.text
    assert "{nonce}" not in answer.text


async def test_there_are_no_other_pages(api: Api) -> None:
    problem(await api.get("//account/other"), 404, "not_found")
    problem(await api.post("//account/reset"), 405, "method_not_allowed")
