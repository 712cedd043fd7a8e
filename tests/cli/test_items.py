"""`portico items`."""

import pytest

from tests.builders import an_email, an_id
from tests.cli.conftest import Portico

pytestmark = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)


def _an_owner(portico: Portico) -> str:
    email = an_email()
    assert portico("users", "create", email).code == 0
    return email


def test_adds_an_item_in_the_stead_of_its_owner(portico: Portico) -> None:
    owner = _an_owner(portico)

    made = portico("items", "create", "--owner", owner, "Milk", "--tag", "a", "--tag", "b", "--json")

    assert (made.code, made.data["title"], made.data["tags"]) == (0, "Milk", ["a", "b"])
    assert made.data["owner_id"] == portico("users", "show", owner, "--json").data["id"]


def test_takes_the_title_as_an_option_too(portico: Portico) -> None:
    owner = _an_owner(portico)

    made = portico("items", "create", "--owner", owner, "--title", "-n", "--description", "Two\nlines", "--json").data

    assert (made["title"], made["description"]) == ("-n", "Two\nlines")


@pytest.mark.parametrize("titles", [(), ("Milk", "--title", "Bread")])
def test_takes_none_or_two_titles_for_misuse(portico: Portico, titles: tuple[str, ...]) -> None:
    refused = portico("items", "create", "--owner", an_email(), *titles)

    assert refused.code == 2
    assert "Give the title, once" in refused.err


def test_refuses_a_blank_title_on_one_line(portico: Portico) -> None:
    refused = portico("items", "create", "--owner", _an_owner(portico), " ")

    assert refused.code == 1
    assert refused.err == "portico: title: must have 1 to 200 characters and not be blank\n"


def test_refuses_an_owner_who_does_not_exist(portico: Portico) -> None:
    assert portico("items", "create", "--owner", str(an_id()), "Milk").code == 1


def test_lists_the_items_of_one_owner(portico: Portico) -> None:
    one, other = _an_owner(portico), _an_owner(portico)
    portico("items", "create", "--owner", one, "Milk")
    portico("items", "create", "--owner", one, "Bread")
    portico("items", "create", "--owner", other, "Salt")

    listed = portico("items", "list", "--owner", one, "--json").data

    assert [item["title"] for item in listed] == ["Milk", "Bread"]


def test_lists_items_as_a_table(portico: Portico) -> None:
    owner = _an_owner(portico)
    made = portico("items", "create", "--owner", owner, "Milk", "--tag", "a", "--tag", "b", "--json").data

    _, row = portico("items", "list", "--owner", owner).out.splitlines()

    assert row.split() == [made["id"], made["created_at"], "1", "Milk", "a,", "b"]


def test_shows_an_item_on_one_line_a_field(portico: Portico) -> None:
    owner = _an_owner(portico)
    made = portico("items", "create", "--owner", owner, "Milk", "--description", "Two\nlines", "--json").data

    table = portico("items", "show", made["id"], "--owner", owner).out
    json = portico("items", "show", made["id"], "--owner", owner, "--json").data

    assert json == made
    assert "Two lines" in table
    assert len(table.splitlines()) == len(made)


def test_hides_the_items_of_others(portico: Portico) -> None:
    one, other = _an_owner(portico), _an_owner(portico)
    made = portico("items", "create", "--owner", one, "Milk", "--json").data

    refused = portico("items", "show", made["id"], "--owner", other)

    assert (refused.code, refused.out) == (1, "")


def test_takes_an_item_id_that_is_none_for_misuse(portico: Portico) -> None:
    assert portico("items", "show", "milk", "--owner", an_email()).code == 2
