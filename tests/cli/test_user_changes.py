"""`portico users`: what changes an account, or ends it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.clock import SystemClock
from entrypoints.settings import Settings
from tests.api import Api, serve
from tests.builders import PASSWORD, an_email
from tests.cli.conftest import Portico, Terminal
from tests.containers import Overrides

pytestmark = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)


def an_account(portico: Portico, role: str = "member") -> dict[str, Any]:
    made = portico("users", "create", an_email(), "--role", role, "--password-stdin", "--json", stdin=PASSWORD.encode())
    account: dict[str, Any] = made.data
    return account


def over_http[Result](storage: Settings, what: Callable[[Api], Awaitable[Result]]) -> Result:
    """Do something with the API, on the same database."""

    async def do() -> Result:
        async with serve(storage, Overrides(SystemClock())) as api:
            return await what(api)

    return asyncio.run(do())


def sign_in(storage: Settings, email: str, password: str = PASSWORD) -> int:
    async def login(api: Api) -> int:
        return (await api.login(email, password)).status_code

    return over_http(storage, login)


def test_promotes_and_demotes(portico: Portico) -> None:
    first, account = an_account(portico, "admin"), an_account(portico)

    promoted = portico("users", "promote", account["email"], "--json")
    demoted = portico("users", "demote", account["id"])

    assert (promoted.code, promoted.data["role"]) == (0, "admin")
    assert promoted.err == f"{account['email']} is an administrator now.\n"
    assert (demoted.code, demoted.out) == (0, "")
    assert portico("users", "show", account["id"], "--json").data["role"] == "member"
    assert portico("users", "show", first["id"], "--json").data["role"] == "admin"


@pytest.mark.parametrize("verb", ["demote", "deactivate", "delete"])
def test_keeps_the_last_administrator(portico: Portico, verb: str) -> None:
    account = an_account(portico, "admin")

    refused = portico("users", verb, account["id"])

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("portico: Make somebody else an administrator first")
    assert portico("users", "show", account["id"], "--json").data["role"] == "admin"


def test_deactivates_and_activates(portico: Portico, storage: Settings) -> None:
    account = an_account(portico)

    off = portico("users", "deactivate", account["email"], "--json")
    while_off = sign_in(storage, account["email"])
    on = portico("users", "activate", account["email"], "--json")

    assert (off.data["is_active"], while_off, on.data["is_active"]) == (False, 401, True)
    assert sign_in(storage, account["email"]) == 200


def test_gives_a_new_password_and_prints_it_once(portico: Portico, storage: Settings) -> None:
    account = an_account(portico)
    assert sign_in(storage, account["email"]) == 200

    reset = portico("users", "reset-password", account["email"])
    again = portico("users", "reset-password", account["email"], "--json")

    assert (reset.code, len(reset.out.strip())) == (0, 32)
    assert reset.out.strip() not in reset.err
    assert sign_in(storage, account["email"]) == 401
    assert sign_in(storage, account["email"], reset.out.strip()) == 401
    assert portico("users", "sessions", account["email"], "--json").data == []
    assert sign_in(storage, account["email"], again.data["password"]) == 200


def test_lists_and_ends_sessions(portico: Portico, storage: Settings) -> None:
    account = an_account(portico)
    for _ in range(2):
        sign_in(storage, account["email"])

    table = portico("users", "sessions", account["email"])
    listed = portico("users", "sessions", account["email"], "--json").data
    ended = portico("users", "revoke-sessions", account["email"])

    assert table.out.splitlines()[0].split() == ["id", "created_at", "last_used_at", "ip", "user_agent"]
    assert [session["ip"] for session in listed] == ["203.0.113.9"] * 2
    assert (ended.code, ended.out, ended.err) == (0, "", f"Ended 2 sessions of {account['email']}.\n")
    assert portico("users", "sessions", account["email"], "--json").data == []
    assert portico("users", "revoke-sessions", account["email"]).err == f"Ended 0 sessions of {account['email']}.\n"


def test_exports_to_stdout_and_to_a_file(portico: Portico, folder: Path) -> None:
    account = an_account(portico)
    portico("items", "create", "Milk", "--owner", account["email"])

    printed = portico("users", "export", account["email"])
    written = portico("users", "export", account["id"], "--output", "account.json")

    assert printed.data["account"]["id"] == account["id"]
    assert [item["title"] for item in printed.data["items"]] == ["Milk"]
    assert (written.code, written.out) == (0, "")
    exported = json.loads((folder / "account.json").read_text())
    assert exported["account"] == printed.data["account"]
    assert [event["action"] for event in exported["audit_events"]][-2:] == ["user.exported"] * 2


def test_erases(portico: Portico, storage: Settings) -> None:
    account = an_account(portico)

    erased = portico("users", "delete", account["email"])

    assert (erased.code, erased.out, erased.err) == (0, "", f"Erased {account['id']}.\n")
    assert portico("users", "show", account["id"]).code == 1
    assert sign_in(storage, account["email"]) == 401
    assert portico("users", "delete", account["id"], "--yes").code == 1


@pytest.mark.parametrize(("answer", "code"), [("n", 130), ("y", 0)])
def test_asks_before_it_erases_at_a_terminal(
    portico: Portico, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    account = an_account(portico)
    monkeypatch.setattr("entrypoints.cli.users.sys", Terminal())
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: answer)

    outcome = portico("users", "delete", account["email"])

    assert outcome.code == code
    assert (portico("users", "show", account["id"]).code == 0) is (code != 0)


@pytest.mark.parametrize(
    "verb",
    [
        "promote",
        "demote",
        "activate",
        "deactivate",
        "reset-password",
        "sessions",
        "revoke-sessions",
        "export",
        "delete",
    ],
)
def test_refuses_who_does_not_exist(portico: Portico, verb: str) -> None:
    refused = portico("users", verb, an_email())

    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "portico: There is no user with this email address.\n"
