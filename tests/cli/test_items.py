"""`portico items`: one at a time, and lists of them."""

import time
from typing import Any

import pytest

from tests.builders import an_email, an_id
from tests.cli.conftest import Portico, Terminal, an_owner

pytestmark = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)


def an_item(portico: Portico, owner: str, title: str = "Milk", *options: str) -> dict[str, Any]:
    """Make an item; return it as JSON."""
    made: dict[str, Any] = portico("items", "create", "--owner", owner, title, *options, "--json").data
    return made


def titles(portico: Portico, *options: str) -> list[str]:
    """Return the titles of a list, in its order."""
    listed = portico("items", "list", *options, "--json")
    assert listed.code == 0, listed.err
    return [item["title"] for item in listed.data]


def test_adds_an_item_in_the_stead_of_its_owner(portico: Portico) -> None:
    owner = an_owner(portico)

    made = portico("items", "create", "--owner", owner, "Milk", "--tag", "a", "--tag", "b", "--json")

    assert (made.code, made.data["title"], made.data["tags"]) == (0, "Milk", ["a", "b"])
    assert made.data["owner_id"] == portico("users", "show", owner, "--json").data["id"]


def test_takes_the_title_as_an_option_too(portico: Portico) -> None:
    owner = an_owner(portico)

    made = portico("items", "create", "--owner", owner, "--title", "-n", "--description", "Two\nlines", "--json").data

    assert (made["title"], made["description"]) == ("-n", "Two\nlines")


@pytest.mark.parametrize("titles", [(), ("Milk", "--title", "Bread")])
def test_takes_none_or_two_titles_for_misuse(portico: Portico, titles: tuple[str, ...]) -> None:
    refused = portico("items", "create", "--owner", an_email(), *titles)

    assert refused.code == 2
    assert "Give the title, once" in refused.err


def test_refuses_a_blank_title_on_one_line(portico: Portico) -> None:
    refused = portico("items", "create", "--owner", an_owner(portico), " ")

    assert refused.code == 1
    assert refused.err == "portico: title: must have 1 to 200 characters and not be blank\n"


def test_refusesan_owner_who_does_not_exist(portico: Portico) -> None:
    assert portico("items", "create", "--owner", str(an_id()), "Milk").code == 1


def test_lists_the_items_of_one_owner(portico: Portico) -> None:
    one, other = an_owner(portico), an_owner(portico)
    portico("items", "create", "--owner", one, "Milk")
    portico("items", "create", "--owner", one, "Bread")
    portico("items", "create", "--owner", other, "Salt")

    listed = portico("items", "list", "--owner", one, "--json").data

    assert [item["title"] for item in listed] == ["Milk", "Bread"]


def test_lists_items_as_a_table(portico: Portico) -> None:
    owner = an_owner(portico)
    made = portico("items", "create", "--owner", owner, "Milk", "--tag", "a", "--tag", "b", "--json").data

    _, row = portico("items", "list", "--owner", owner).out.splitlines()

    assert row.split() == [made["id"], made["created_at"], "1", "Milk", "a,", "b"]


def test_shows_an_item_on_one_line_a_field(portico: Portico) -> None:
    owner = an_owner(portico)
    made = portico("items", "create", "--owner", owner, "Milk", "--description", "Two\nlines", "--json").data

    table = portico("items", "show", made["id"], "--owner", owner).out
    json = portico("items", "show", made["id"], "--owner", owner, "--json").data

    assert json == made
    assert "Two lines" in table
    assert len(table.splitlines()) == len(made)


def test_lists_the_items_of_all_and_says_whose_they_are(portico: Portico) -> None:
    one, other = an_owner(portico), an_owner(portico)
    milk, bread = an_item(portico, one, "Milk"), an_item(portico, other, "Bread")

    header, *rows = portico("items", "list").out.splitlines()

    assert header.split() == ["id", "owner_id", "created_at", "version", "title", "tags"]
    assert [row.split()[:2] for row in rows] == [[item["id"], item["owner_id"]] for item in (milk, bread)]
    assert portico("items", "list", "--json").data == [milk, bread]


def test_lists_only_those_asked_for(portico: Portico) -> None:
    owner = an_owner(portico)
    milk = an_item(portico, owner, "Oat Milk", "--tag", "shop")
    time.sleep(0.01)
    an_item(portico, owner, "Bread", "--tag", "shop", "--description", "to go with the milk")
    time.sleep(0.01)
    beer = an_item(portico, owner, "Beer", "--tag", "cellar")

    assert titles(portico, "--query", "MILK") == ["Oat Milk", "Bread"]
    assert titles(portico, "--tag", "shop") == ["Oat Milk", "Bread"]
    assert titles(portico, "--tag", "SHOP") == []
    assert titles(portico, "--after", milk["created_at"]) == ["Bread", "Beer"]
    assert titles(portico, "--before", beer["created_at"].replace("Z", "+00:00")) == ["Oat Milk", "Bread"]
    assert titles(portico, "--after", milk["created_at"], "--query", "milk", "--owner", owner) == ["Bread"]
    assert titles(portico, "--query", "milk", "--owner", an_owner(portico)) == []


@pytest.mark.parametrize(
    ("sort", "sorted_titles"),
    [
        ("created_at", ["Milk", "Beer", "Bread"]),
        ("-created_at", ["Bread", "Beer", "Milk"]),
        ("updated_at", ["Beer", "Bread", "Milk"]),
        ("-title", ["Milk", "Bread", "Beer"]),
    ],
)
def test_lists_items_in_the_order_asked_for(portico: Portico, sort: str, sorted_titles: list[str]) -> None:
    owner = an_owner(portico)
    milk, _, _ = (an_item(portico, owner, title) for title in ("Milk", "Beer", "Bread"))
    portico("items", "edit", milk["id"], "--owner", owner, "--tag", "new")

    assert titles(portico, "--owner", owner, "--sort", sort) == sorted_titles
    assert titles(portico, "--sort", sort, "--limit", "2") == sorted_titles[:2]


@pytest.mark.parametrize(
    "options",
    [
        ("--sort", "description"),
        ("--after", "yesterday"),
        ("--after", "2026-01-01T00:00:00"),
        ("--before", "9999-12-31T23:59:59-01:00"),
        ("--query", ""),
        ("--query", "x" * 201),
        ("--query", "\udcff"),
        ("--query", "a\x01b"),
        ("--tag", "a\x9bb"),
        ("--tag", "x" * 51),
    ],
)
def test_takes_for_misuse_what_no_list_can_be_asked_for(portico: Portico, options: tuple[str, str]) -> None:
    misused = portico("items", "list", *options)

    assert (misused.code, misused.out) == (2, "")
    assert f"Invalid value for '{options[0]}'" in misused.err


def test_refuses_to_list_the_items_of_who_does_not_exist(portico: Portico) -> None:
    assert portico("items", "list", "--owner", an_email()).code == 1


def test_edits_what_is_given_and_leaves_the_rest(portico: Portico) -> None:
    owner = an_owner(portico)
    item = an_item(portico, owner, "Milk", "--description", "Oat", "--tag", "a", "--tag", "b")

    edited = portico("items", "edit", item["id"], "--owner", owner, "--title", "Bread", "--json")

    assert (edited.code, edited.err) == (0, f"Changed the item {item['id']}.\n")
    changed = {"title": "Bread", "version": 2, "updated_at": edited.data["updated_at"]}
    assert edited.data == item | changed
    assert portico("items", "show", item["id"], "--owner", owner, "--json").data == edited.data


@pytest.mark.parametrize(
    ("options", "description", "tags"),
    [
        (("--description", ""), "", ["a", "b"]),
        (("--clear-description",), None, ["a", "b"]),
        (("--tag", "c", "--tag", "d"), "Oat", ["c", "d"]),
        (("--clear-tags",), "Oat", []),
        (("--clear-description", "--tag", "c"), None, ["c"]),
    ],
)
def test_edits_and_clears_descriptions_and_tags(
    portico: Portico, options: tuple[str, ...], description: str | None, tags: list[str]
) -> None:
    owner = an_owner(portico)
    item = an_item(portico, owner, "Milk", "--description", "Oat", "--tag", "a", "--tag", "b")

    edited = portico("items", "edit", item["id"], "--owner", owner, *options, "--json").data

    assert (edited["title"], edited["description"], edited["tags"]) == ("Milk", description, tags)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ((), "Say what to change"),
        (("--version", "1"), "Say what to change"),
        (("--description", "x", "--clear-description"), "Give --description or --clear-description, not both."),
        (("--tag", "x", "--clear-tags"), "Give --tag or --clear-tags, not both."),
        (("--title", "x", "--version", "0"), "Invalid value for '--version'"),
    ],
)
def test_takes_for_misuse_what_is_no_change(portico: Portico, options: tuple[str, ...], complaint: str) -> None:
    misused = portico("items", "edit", str(an_id()), "--owner", an_email(), *options)

    assert (misused.code, misused.out) == (2, "")
    assert complaint in misused.err


def test_refuses_a_change_to_something_bad_on_one_line(portico: Portico) -> None:
    owner = an_owner(portico)
    item = an_item(portico, owner)

    refused = portico("items", "edit", item["id"], "--owner", owner, "--tag", "\n")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("portico: tags/0: ")
    assert refused.err.count("\n") == 1


@pytest.mark.parametrize("verb", [("edit", "--title", "Bread"), ("delete",)])
def test_changes_only_the_version_that_is_expected(portico: Portico, verb: tuple[str, ...]) -> None:
    owner = an_owner(portico)
    item = an_item(portico, owner)
    portico("items", "edit", item["id"], "--owner", owner, "--title", "Beer")

    stale = portico("items", *verb, item["id"], "--owner", owner, "--version", "1")
    title = portico("items", "show", item["id"], "--owner", owner, "--json").data["title"]
    done = portico("items", *verb, item["id"], "--owner", owner, "--version", "2")

    assert (stale.code, stale.out, title) == (1, "", "Beer")
    assert stale.err.startswith("portico: It has changed since you read it.")
    assert done.code == 0


def test_deletes(portico: Portico) -> None:
    owner = an_owner(portico)
    milk, bread = an_item(portico, owner, "Milk"), an_item(portico, owner, "Bread")

    deleted = portico("items", "delete", milk["id"], "--owner", owner)

    assert (deleted.code, deleted.out, deleted.err) == (0, "", f"Deleted the item {milk['id']}.\n")
    assert portico("items", "list", "--owner", owner, "--json").data == [bread]
    assert portico("items", "delete", milk["id"], "--owner", owner, "--yes").code == 1


@pytest.mark.parametrize(("answer", "code"), [("n", 130), ("y", 0)])
def test_asks_before_it_deletes_at_a_terminal(
    portico: Portico, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    owner = an_owner(portico)
    item = an_item(portico, owner)
    monkeypatch.setattr("entrypoints.cli.item_changes.sys", Terminal())
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: answer)

    outcome = portico("items", "delete", item["id"], "--owner", owner)

    assert outcome.code == code
    assert (portico("items", "show", item["id"], "--owner", owner).code == 0) is (code != 0)


@pytest.mark.parametrize("verb", [("show",), ("edit", "--title", "Bread"), ("delete",)])
def test_finds_no_item_of_somebody_else_or_of_nobody(portico: Portico, verb: tuple[str, ...]) -> None:
    one, other = an_owner(portico), an_owner(portico)
    item = an_item(portico, one)

    refused = [
        portico("items", *verb, item["id"], "--owner", other),
        portico("items", *verb, str(an_id()), "--owner", one),
        portico("items", *verb, item["id"], "--owner", an_email()),
    ]

    assert [(each.code, each.out, each.err.count("\n")) for each in refused] == [(1, "", 1)] * 3
    assert portico("items", "show", item["id"], "--owner", one, "--json").data == item


@pytest.mark.parametrize("verb", [("show",), ("edit", "--title", "Bread"), ("delete",)])
def test_takes_for_misuse_what_names_no_item_or_no_owner(portico: Portico, verb: tuple[str, ...]) -> None:
    assert portico("items", *verb, "milk", "--owner", an_email()).code == 2
    assert portico("items", *verb, str(an_id())).code == 2
