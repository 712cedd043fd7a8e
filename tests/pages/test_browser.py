"""The account pages in Chromium, against the real application on a real port."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from granian.constants import Interfaces
from granian.server.embed import Server

from adapters.sql.engines import Engines
from application.outbox import LetterTemplate
from entrypoints.http.app import Application
from tests.api import NO_AUTHORITIES
from tests.builders import PASSWORD, an_email
from tests.clock import FixedClock
from tests.conftest import NO_BROWSER
from tests.containers import Overrides, container_for, settings_for
from tests.mailbox import Mailbox

pytestmark = pytest.mark.browser

NEW_PASSWORD = "a better password than before"
PATIENCE = 10
"""Seconds to wait for what a page is about to show, on a busy machine."""


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Provide a browser of the size of a phone."""
    # All processes that run tests read this file, and one of them needs the 60 modules.
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService  # noqa: PLC0415

    # CHROME_BIN says which one the driver is for where there are several, as on GitHub's machines.
    names = [os.environ.get("CHROME_BIN", ""), "chromium", "google-chrome"]
    browser, driver = next(filter(None, map(shutil.which, names)), None), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip(NO_BROWSER)
    options = ChromeOptions()
    options.binary_location = browser
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=360,740",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=options, service=ChromeService(executable_path=driver))
    yield chrome
    chrome.quit()


class Site:
    """The application, its outbox, and a browser that looks at its pages."""

    def __init__(self, url: str, mailbox: Mailbox, chrome: Any) -> None:
        self.url = url
        self.mailbox = mailbox
        self._chrome = chrome

    async def post(self, path: str, access_token: str | None = None, /, **body: str) -> httpx.Response:
        """Send a request to the API, as a front end would."""
        headers = {"Authorization": f"Bearer {access_token}"} if access_token else {}
        async with httpx.AsyncClient(base_url=f"{self.url}/api/v1", verify=NO_AUTHORITIES) as client:
            return await client.post(path, json=body, headers=headers)

    async def open(self, address: str) -> None:
        """Open an address in a tab that has seen nothing."""
        await asyncio.to_thread(self._chrome.get, "about:blank")
        await asyncio.to_thread(self._chrome.get, address)

    async def see(self, text: str) -> str:
        """Wait until the page shows this, and return all that it shows."""
        async with asyncio.timeout(PATIENCE):
            while text not in (shown := await self.shown()):  # noqa: ASYNC110 - a browser sets no event of ours
                await asyncio.sleep(0.02)
        return shown

    async def shown(self) -> str:
        """Return what the page shows."""
        element = await asyncio.to_thread(self._chrome.find_element, "tag name", "main")
        return await asyncio.to_thread(lambda: str(element.text))

    async def fill(self, label: str, text: str) -> None:
        """Type into the field that has this label, in place of what is there."""
        field = await self.run(
            "return [...document.querySelectorAll('label')].find(l => l.textContent === arguments[0]).control", label
        )
        await asyncio.to_thread(field.clear)
        await asyncio.to_thread(field.send_keys, text)

    async def press(self, button: str) -> None:
        """Press the button with these words."""
        path = f"//button[normalize-space()='{button}']"
        element = await asyncio.to_thread(self._chrome.find_element, "xpath", path)
        await asyncio.to_thread(element.click)

    async def run(self, script: str, *arguments: object) -> Any:
        """Return what a script finds out about the page."""
        return await asyncio.to_thread(self._chrome.execute_script, script, *arguments)

    async def complaints(self) -> list[str]:
        """Return what the browser has complained of, such as of something that the page's policy forbids."""
        entries = await asyncio.to_thread(self._chrome.get_log, "browser")
        grave = [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]
        # It notes each refusal of the API too, which the pages explain.
        return [message for message in grave if "the server responded with a status of 4" not in message]

    async def address(self) -> str:
        """Return what stands in the address bar."""
        return str(await self.run("return location.href"))


@pytest.fixture
async def site(clock: FixedClock, chrome: Any, engines_of: Callable[[str], Engines]) -> AsyncIterator[Site]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = settings_for("memory:", PUBLIC_URL=url, SIGNUP="verified")
    mailbox = Mailbox(settings, engines_of)
    app = Application(container_for(settings, Overrides(clock), mailbox), settings)
    server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient(base_url=url, verify=NO_AUTHORITIES) as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                await client.get("/health")
                break
            await asyncio.sleep(0.02)
    site = Site(url, mailbox, chrome)
    await site.complaints()
    yield site
    assert await site.complaints() == []
    server.stop()  # type: ignore[no-untyped-call] # granian leaves it so
    await serving


async def sign_up(site: Site) -> tuple[str, str]:
    """Sign somebody up, and return their address with the link in their letter."""
    email = an_email()
    assert (await site.post("/users", email=email, password=PASSWORD)).status_code == 202
    return email, (await site.mailbox.last(email, LetterTemplate.VERIFY_EMAIL)).data["link"]


async def a_member(site: Site) -> tuple[str, str]:
    """Sign somebody up and in, and return their address with their access token."""
    email, link = await sign_up(site)
    confirmed = await site.post("/auth/email/verify", token=link.partition("#token=")[2])
    assert confirmed.status_code == 204
    return email, (await site.post("/auth/login", email=email, password=PASSWORD)).json()["access_token"]


async def test_an_address_is_confirmed_with_the_account_s_password(site: Site) -> None:
    email, link = await sign_up(site)

    await site.open(link)
    await site.see("Confirm that this address is yours")
    assert await site.address() == f"{site.url}/account/verify"
    assert await site.run("return history.length") <= 3

    await site.fill("Password", "not the password of ann")
    await site.press("Confirm the address")
    await site.see("That is not this account's password.")
    assert await site.run("return document.activeElement.id") == "password"
    assert await site.run("return document.activeElement.getAttribute('aria-invalid')") == "true"
    assert (await site.post("/auth/login", email=email, password=PASSWORD)).status_code == 401

    await site.fill("Password", PASSWORD)
    await site.press("Confirm the address")
    shown = await site.see("Your address is confirmed.")
    assert "Password" not in shown
    assert await site.run("return document.activeElement.id") == "message"
    assert (await site.post("/auth/login", email=email, password=PASSWORD)).status_code == 200


async def test_a_forgotten_password_is_replaced_with_nothing_but_the_pages(site: Site) -> None:
    email, _ = await a_member(site)

    await site.open(f"{site.url}/account/reset")
    await site.see("Have a link sent")
    await site.fill("Email address", email)
    await site.press("Send the link")
    await site.see("a link is on its way there")
    link = (await site.mailbox.last(email, LetterTemplate.RESET_PASSWORD)).data["link"]

    await site.open(link)
    await site.see("Several words make a good one.")
    assert await site.address() == f"{site.url}/account/reset"
    await site.fill("New password", "portico2026!!!!")
    await site.press("Change the password")
    await site.see("It must be more than your name")
    await site.fill("New password", NEW_PASSWORD)
    await site.press("Change the password")
    await site.see("Your password is changed")
    assert (await site.post("/auth/login", email=email, password=NEW_PASSWORD)).status_code == 200

    await site.open(link)
    await site.fill("New password", NEW_PASSWORD)
    await site.press("Change the password")
    shown = await site.see("This link was used before, has expired")
    assert "Have a link sent" in shown


async def test_a_new_address_is_confirmed(site: Site) -> None:
    _, access_token = await a_member(site)
    new = an_email()
    assert (await site.post("/users/me/email", access_token, email=new, password=PASSWORD)).status_code == 202

    await site.open((await site.mailbox.last(new, LetterTemplate.CONFIRM_NEW_EMAIL)).data["link"])
    await site.fill("Password", PASSWORD)
    await site.press("Confirm the new address")

    await site.see("This is your account's address now.")
    assert (await site.post("/auth/login", email=new, password=PASSWORD)).status_code == 200


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("verify", "Open this page with the link in the letter"),
        ("email", "Open this page with the link in the letter"),
        ("reset", "Have a link sent"),
    ],
)
async def test_a_page_without_a_link_says_what_to_do(site: Site, page: str, words: str) -> None:
    await site.open(f"{site.url}/account/{page}")

    await site.see(words)


async def test_another_link_opened_in_the_same_tab_is_taken(site: Site) -> None:
    await site.open(f"{site.url}/account/verify")
    await site.see("Open this page with the link")

    await site.run("location.hash = '#token=another'")

    await site.see("Confirm that this address is yours")
    assert await site.address() == f"{site.url}/account/verify"


async def test_the_page_says_that_there_were_too_many_tries(site: Site) -> None:
    await site.open(f"{site.url}/account/reset")
    for _ in range(3):
        await site.post("/auth/password/forgot", email="ann@example.org")

    await site.fill("Email address", "ann@example.org")
    await site.press("Send the link")

    await site.see("Wait 1200 seconds, then try again.")


async def test_the_password_can_be_shown(site: Site) -> None:
    await site.open(f"{site.url}/account/verify#token=any")
    await site.fill("Password", PASSWORD)

    await site.run("document.querySelector('input[data-shows]').click()")

    assert await site.run("return document.getElementById('password').type") == "text"


async def test_a_page_fits_on_a_phone(site: Site) -> None:
    for page in ("verify", "email", "reset"):
        await site.open(f"{site.url}/account/{page}#token=any")

        assert await site.run("return document.documentElement.scrollWidth <= innerWidth")
        heights = await site.run(
            "return [...document.querySelectorAll('form:not([hidden]) button')].map(b => b.offsetHeight)"
        )
        assert heights
        assert min(heights) >= 44
