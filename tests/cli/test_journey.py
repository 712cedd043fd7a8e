"""One walk through the commands, on each storage that they can reach."""

import pytest

from tests.cli.conftest import Portico


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
def test_makes_and_shows_accounts_and_items(portico: Portico) -> None:
    ada = portico("users", "create", "Ada@Example.org", "--role", "admin", "--json").data
    refused = portico("users", "create", "ada@example.org")
    milk = portico("items", "create", "--owner", ada["id"], "Milk", "--tag", "a", "--json").data

    assert refused.code == 1
    assert refused.err.startswith("portico: An account with this email address exists.")
    assert portico("items", "list", "--owner", "ada@example.org", "--json").data == [milk]
    assert portico("items", "show", milk["id"], "--owner", ada["id"], "--json").data == milk
    assert [user["email"] for user in portico("users", "list", "--json").data] == ["ada@example.org"]
