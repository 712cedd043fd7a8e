"""`portico users`."""

import pytest

from tests.builders import PASSWORD, an_email
from tests.cli.conftest import Portico

pytestmark = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)


def test_makes_an_administrator_and_prints_a_password_once(portico: Portico) -> None:
    made = portico("users", "create", "Ada@Example.org", "--role", "admin", "--full-name", "Ada")

    assert (made.code, len(made.out.split()), len(made.out.strip())) == (0, 1, 32)
    assert "ada@example.org" in made.err
    assert made.out.strip() not in made.err
    shown = portico("users", "show", "ada@example.org", "--json").data
    assert (shown["role"], shown["full_name"]) == ("admin", "Ada")


def test_makes_an_account_with_the_password_on_stdin(portico: Portico) -> None:
    made = portico("users", "create", an_email(), "--password-stdin", "--json", stdin=f"{PASSWORD}\n".encode())

    assert (made.code, made.err) == (0, "")
    assert made.data["role"] == "member"
    assert "password" not in made.data


def test_prints_nothing_but_a_message_where_the_password_was_given(portico: Portico) -> None:
    made = portico("users", "create", an_email(), "--password-stdin", stdin=PASSWORD.encode())

    assert (made.code, made.out) == (0, "")


def test_prints_a_generated_password_in_json_too(portico: Portico) -> None:
    made = portico("users", "create", an_email(), "--json")

    assert len(made.data["password"]) == 32


def test_makes_accounts_while_sign_up_is_closed(portico: Portico, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_SIGNUP", "closed")

    assert portico("users", "create", an_email()).code == 0


def test_refuses_a_taken_address_on_one_line(portico: Portico) -> None:
    email = an_email()
    portico("users", "create", email)

    refused = portico("users", "create", email.upper())

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("portico: An account with this email address exists.")
    assert refused.err.count("\n") == 1


def test_refuses_a_weak_password_on_one_line(portico: Portico) -> None:
    refused = portico("users", "create", an_email(), "--password-stdin", stdin=b"short\n")

    assert refused.code == 1
    assert refused.err.startswith("portico: password: must have at least 15 characters")


def test_takes_a_password_that_is_not_utf_8_for_misuse(portico: Portico) -> None:
    refused = portico("users", "create", an_email(), "--password-stdin", stdin=b"\xff\xfe\n")

    assert refused.code == 2
    assert "not UTF-8" in refused.err


def test_shows_the_same_account_by_id_and_by_address(portico: Portico) -> None:
    email = an_email()
    made = portico("users", "create", email, "--json").data

    by_id, by_address = portico("users", "show", made["id"], "--json"), portico("users", "show", email, "--json")

    assert by_id.data == by_address.data
    assert by_id.data["email"] == email


def test_shows_an_account_as_a_table(portico: Portico) -> None:
    email = an_email()
    portico("users", "create", email)

    shown = portico("users", "show", email).out

    rows = dict(line.split(maxsplit=1) for line in shown.splitlines())
    assert rows["email"].strip() == email
    assert rows["full_name"].strip() == "-"
    assert rows["is_active"].strip() == "yes"


@pytest.mark.parametrize("stranger", ["01a20788-434b-730a-ad27-acf2a9cae3f7", "nobody@example.org"])
def test_refuses_to_show_who_does_not_exist(portico: Portico, stranger: str) -> None:
    refused = portico("users", "show", stranger)

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("portico: There is no user with this ")


def test_refuses_what_is_neither_an_id_nor_an_address(portico: Portico) -> None:
    assert portico("users", "show", "nobody").code == 1


def test_lists_all_accounts_as_one_json_array(portico: Portico) -> None:
    emails = [an_email(), an_email(), an_email()]
    for email in emails:
        portico("users", "create", email)

    listed = portico("users", "list", "--json")

    assert [user["email"] for user in listed.data] == emails


def test_lists_up_to_a_limit(portico: Portico) -> None:
    for _ in range(3):
        portico("users", "create", an_email())

    assert len(portico("users", "list", "--json", "--limit", "2").data) == 2


def test_lists_only_those_asked_for(portico: Portico) -> None:
    portico("users", "create", an_email(), "--role", "admin", "--full-name", "Ada")
    portico("users", "create", an_email(), "--full-name", "Bob")

    def names(*filters: str) -> list[str]:
        return [user["full_name"] for user in portico("users", "list", "--json", *filters).data]

    assert names("--role", "admin") == ["Ada"]
    assert names("--query", "BOB") == ["Bob"]
    assert names("--active") == ["Ada", "Bob"]
    assert names("--inactive") == []


@pytest.mark.parametrize("query", ["", "x" * 201, "\udcff"])
def test_takes_for_misuse_what_nobody_can_look_for(portico: Portico, query: str) -> None:
    assert portico("users", "list", "--query", query).code == 2


def test_lists_nobody_as_an_empty_array(portico: Portico) -> None:
    assert portico("users", "list", "--json").out == "[]\n"


def test_lists_accounts_as_a_table_with_whole_ids_in_a_pipe(portico: Portico) -> None:
    made = portico("users", "create", an_email(), "--full-name", "[red]Ada[/red]", "--json").data

    header, row = portico("users", "list").out.splitlines()

    assert header.split() == ["id", "role", "is_active", "created_at", "email", "full_name"]
    assert row.split() == [made["id"], "member", "yes", made["created_at"], made["email"], "[red]Ada[/red]"]
