"""Items imported from files and exported to them."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from adapters.sql.engines import Engines
from domain.errors import Unavailable
from entrypoints.settings import Settings
from tests.api import Api, Person, pointers, problem
from tests.engines import engine_on

NDJSON, CSV = {"Content-Type": "application/x-ndjson"}, {"Content-Type": "text/csv; charset=utf-8"}
FORMATS = pytest.mark.parametrize("file_format", ["ndjson", "csv"])
ODD = [
    {"title": "=1+1", "description": "+cmd", "tags": ["-x", "@y", "a,b", '"']},
    {"title": "'tis", "description": "'=x", "tags": []},
    {"title": "line", "description": "one\r\ntwo\n\tthree", "tags": ["ä", "[1]"]},
    {"title": "-", "description": "", "tags": ["'"]},
    {"title": "牛乳 🥛 \u202e", "description": None, "tags": ["x"] * 1},
    {"title": '"quoted", and so on', "description": "'", "tags": ["\\"]},
    {"title": "🦉" * 200, "description": "🦉" * 10_000, "tags": [f"{number:050}" for number in range(20)]},
]


async def everything(api: Api, person: Person) -> list[dict[str, Any]]:
    """Return what a person's items say, the oldest first."""
    answer = await api.get("/items/export", person)
    items = [json.loads(line) for line in answer.content.splitlines()]
    return [{name: item[name] for name in ("title", "description", "tags")} for item in items]


async def import_file(api: Api, person: Person, content: bytes, headers: dict[str, str] = NDJSON) -> httpx.Response:
    return await api.post("/items/import", person, content=content, headers=headers)


async def test_good_rows_are_kept_and_bad_ones_pointed_at(stored_api: Api) -> None:
    ann = await stored_api.a_person()
    lines = [
        b'{"title":"Milk","tags":["shop"]}',
        b'{"title":7}',
        b"",
        b'{"title":"\\u0000"}',
        b"nonsense",
        b'{"title":"Bread","description":"Rye","tags":["a","\\u0000"]}',
        b'{"title":"Beer","is_admin":true}',
        b'{"title":"Butter"}',
    ]

    answer = await import_file(stored_api, ann, b"\n".join(lines))

    report = answer.json()
    assert answer.status_code == 200
    assert (report["created"], report["failed"]) == (2, 5)
    assert [(error["line"], error["pointer"]) for error in report["errors"]] == [
        (2, "/title"),
        (4, "/title"),
        (5, ""),
        (6, "/tags/1"),
        (7, "/is_admin"),
    ]
    assert all(error["detail"] for error in report["errors"])
    assert [item["title"] for item in await everything(stored_api, ann)] == ["Milk", "Butter"]


async def test_a_spreadsheets_file_is_read(stored_api: Api) -> None:
    ann = await stored_api.a_person()
    content = (
        "\ufefftags,title,description\r\n"
        '"shop, food",Milk,"Two\r\nlitres"\r\n'
        ",Bread,\r\n"
        '"[""a,b""]",Beer,\'=1+1\r\n'
        "x,,\r\n"
        "x,Butter\r\n"
        "[x,Cheese,\r\n"
    )

    answer = await import_file(stored_api, ann, content.encode(), CSV)

    report = answer.json()
    assert (report["created"], report["failed"]) == (3, 3)
    assert [(error["line"], error["pointer"]) for error in report["errors"]] == [(6, "/title"), (7, ""), (8, "/tags")]
    assert await everything(stored_api, ann) == [
        {"title": "Milk", "description": "Two\r\nlitres", "tags": ["shop", "food"]},
        {"title": "Bread", "description": None, "tags": []},
        {"title": "Beer", "description": "=1+1", "tags": ["a,b"]},
    ]


@FORMATS
async def test_what_is_exported_can_be_imported_unchanged(stored_api: Api, file_format: str) -> None:
    ann, bob = await stored_api.a_person(), await stored_api.a_person()
    for body in ODD:
        assert (await stored_api.post("/items", ann, json=body)).status_code == 201

    exported = await stored_api.get("/items/export", ann, params={"format": file_format})
    headers = {"Content-Type": exported.headers["content-type"]}
    imported = await import_file(stored_api, bob, exported.content, headers)

    assert imported.json() == {"created": len(ODD), "failed": 0, "errors": []}
    assert await everything(stored_api, bob) == ODD
    assert await everything(stored_api, ann) == ODD


async def test_an_import_makes_items_of_ones_own_whatever_it_says(api: Api, ann: Person) -> None:
    bob = await api.a_person()
    bobs = (await api.post("/items", bob, json={"title": "Bob's"})).json()

    answer = await import_file(api, ann, json.dumps(bobs).encode())

    (item,) = (await api.get("/items", ann)).json()["data"]
    assert answer.json()["created"] == 1
    assert item["owner_id"] == ann.id
    assert item["id"] != bobs["id"]
    assert (await api.get(f"/items/{bobs['id']}", bob)).json() == bobs


async def test_no_cell_of_an_export_is_a_formula(api: Api, ann: Person) -> None:
    for body in ODD:
        await api.post("/items", ann, json=body)

    answer = await api.get("/items/export", ann, params={"format": "csv"})
    header, *rows = csv.reader(io.StringIO(answer.text, newline=""), strict=True)

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="portico-items.csv"'
    assert header == ["id", "owner_id", "title", "description", "tags", "created_at", "updated_at", "version"]
    assert len(rows) == len(ODD)
    assert not [cell for row in rows for cell in row if cell[:1] and cell[0] in "=+-@\t\r\n\0"]


@FORMATS
async def test_nothing_is_exported_of_others(api: Api, ann: Person, file_format: str) -> None:
    bob = await api.a_person()
    await api.post("/items", bob, json={"title": "Bob's"})

    answer = await api.get("/items/export", ann, params={"format": file_format})

    assert answer.status_code == 200
    assert "Bob" not in answer.text


async def test_more_items_are_exported_than_are_read_at_once(stored_api: Api) -> None:
    ann = await stored_api.a_person()
    content = b"".join(b'{"title":"item %d"}\n' % number for number in range(2500))

    imported = await import_file(stored_api, ann, content)
    exported = await stored_api.get("/items/export", ann)

    assert imported.json()["created"] == 2500
    assert sorted(json.loads(line)["title"] for line in exported.iter_lines()) == sorted(
        f"item {number}" for number in range(2500)
    )


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("headers", [NDJSON, CSV], ids=["ndjson", "csv"])
async def test_an_empty_file_has_no_items(api: Api, ann: Person, content: bytes, headers: dict[str, str]) -> None:
    answer = await import_file(api, ann, content, headers)

    assert answer.json() == {"created": 0, "failed": 0, "errors": []}


async def test_only_the_first_errors_are_told(api: Api, ann: Person) -> None:
    answer = await import_file(api, ann, b"{}\n" * 3000)

    report = answer.json()
    assert (report["created"], report["failed"], len(report["errors"])) == (0, 3000, 100)
    assert [error["line"] for error in report["errors"]] == list(range(1, 101))


async def test_a_header_that_names_something_else_is_refused(api: Api, ann: Person) -> None:
    answer = await import_file(api, ann, b"title,owner\nMilk,me\n", CSV)

    assert pointers(answer) == ["/header"]
    assert "'owner'" in answer.json()["detail"]


async def test_a_header_in_another_encoding_is_refused(api: Api, ann: Person) -> None:
    answer = await import_file(api, ann, "title,größe\nMilk,1\n".encode("latin-1"), CSV)

    assert pointers(answer) == ["/header"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json"},
        {"Content-Type": "text/csv; charset=latin-1"},
        {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"},
        {"Content-Type": "multipart/form-data; boundary=x"},
    ],
)
async def test_other_kinds_of_file_are_refused(api: Api, ann: Person, headers: dict[str, str]) -> None:
    problem(await import_file(api, ann, b'{"title":"Milk"}', headers), 415, "unsupported_media_type")


@pytest.mark.parametrize("file_format", ["", "xml", "CSV"])
async def test_other_formats_are_refused(api: Api, ann: Person, file_format: str) -> None:
    assert pointers(await api.get("/items/export", ann, params={"format": file_format})) == ["/query/format"]


async def test_a_file_may_be_larger_than_other_bodies(api: Api, ann: Person) -> None:
    row = json.dumps({"title": "x", "description": "y" * 10_000}).encode() + b"\n"

    answer = await import_file(api, ann, row * 200)

    assert answer.json()["created"] == 200


@FORMATS
async def test_without_a_database_there_is_no_file(
    api: Api, ann: Person, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise Unavailable

    monkeypatch.setattr("adapters.memory.items.MemoryItemQueries.page", fail)

    problem(await api.get("/items/export", ann, params={"format": file_format}), 503, "unavailable")


async def test_an_import_that_has_to_stop_tells_how_far_it_came(
    api: Api, ann: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    batches = iter([1000])

    async def fail_later(*_: object) -> int:
        try:
            return next(batches)
        except StopIteration:
            raise Unavailable from OSError("the reason")

    monkeypatch.setattr("adapters.memory.items.MemoryItemLoader.add_missing", fail_later)

    answer = await import_file(api, ann, b'{"title":"Milk"}\n' * 2500)

    assert "1000 items of the file were stored before" in problem(answer, 503, "unavailable")["detail"]
    assert "OSError('the reason')" in capsys.readouterr().err


async def test_an_account_that_is_deactivated_meanwhile_stores_no_more(stored_api: Api) -> None:
    ann, admin = await stored_api.a_person(), await stored_api.an_admin()
    answers: list[Any] = []

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"title":"Before"}\n' * 1000
        for _ in range(1000):
            if len(await everything(stored_api, ann)) == 1000:
                break
            await asyncio.sleep(0.01)
        answers.append(await stored_api.patch(f"/users/{ann.id}", admin, json={"is_active": False}))
        yield b'{"title":"After"}\n' * 1000

    answer = await stored_api.post("/items/import", ann, content=slowly(), headers=NDJSON)

    assert answers[0].status_code == 200
    assert "1000 items of the file were stored before" in problem(answer, 401, "invalid_token")["detail"]


@pytest.mark.parametrize("storage", ["postgresql"], indirect=True)
async def test_a_client_that_vanishes_leaves_no_transaction_open(
    stored_api: Api, storage: Settings, engines_of: Callable[[str], Engines]
) -> None:
    ann = await stored_api.a_person()

    answers = []

    async def answer(message: Any) -> None:
        answers.append(message)

    message = {"type": "http.request", "body": b'{"title":"Milk"}\n' * 1500, "more_body": True}
    await stored_api.send_raw("POST", "/items/import", ann, headers=NDJSON, messages=[message], send=answer)

    assert answers[0]["status"] == 400
    in_transaction = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    )
    async with engine_on(engines_of(storage.database_url).write).connect() as connection:
        assert (await connection.execute(sa.text(in_transaction))).scalar_one() == 0
    assert len(await everything(stored_api, ann)) == 1000
