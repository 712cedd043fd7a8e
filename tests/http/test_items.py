from string import ascii_letters
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.api import Api, Person, pointers, problem

NOBODYS = "/items/00000000-0000-7000-8000-000000000000"


async def test_an_item_is_made_shown_changed_and_deleted(api: Api, ann: Person) -> None:
    body = {"title": "Milk", "description": "Two litres", "tags": ["shop", "shop", "food"]}
    made = await api.post("/items", ann, json=body)
    path = f"/items/{made.json()['id']}"

    shown = await api.get(path, ann)
    changed = await api.patch(path, ann, json={"title": "Bread", "tags": []})
    cleared = await api.patch(path, ann, json={"description": None})
    deleted = await api.delete(path, ann)

    assert made.status_code == 201
    assert made.headers["location"] == f"/api/v1{path}"
    assert set(made.json()) == {
        "id", "owner_id", "title", "description", "tags", "created_at", "updated_at", "version",
    }  # fmt: skip
    assert made.json()["tags"] == ["shop", "food"]
    assert made.json()["owner_id"] == ann.id
    assert shown.json() == made.json()
    assert (changed.json()["title"], changed.json()["description"], changed.json()["tags"]) == (
        "Bread",
        "Two litres",
        [],
    )
    assert (cleared.json()["description"], cleared.json()["version"]) == (None, 3)
    assert (deleted.status_code, deleted.content) == (204, b"")
    problem(await api.get(path, ann), 404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_the_items_of_others_do_not_exist(api: Api, ann: Person, method: str) -> None:
    bob = await api.a_person()
    item = (await api.post("/items", bob, json={"title": "Bob's"})).json()
    body = {"json": {"title": "Mine"}} if method == "PATCH" else {}

    somebodys = await api.call(method, f"/items/{item['id']}", ann, **body)
    nobodys = await api.call(method, NOBODYS, ann, **body)

    assert problem(somebodys, 404, "not_found")["detail"] == problem(nobodys, 404, "not_found")["detail"]
    assert (await api.get(f"/items/{item['id']}", bob)).json() == item


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/title"),
        ({"title": None}, "/title"),
        ({"title": ""}, "/title"),
        ({"title": "   "}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"title": 7}, "/title"),
        ({"title": "a\u0000b"}, "/title"),
        ({"title": "a\u001b[31m"}, "/title"),
        ({"title": "ok", "description": "x" * 10_001}, "/description"),
        ({"title": "ok", "description": "\u0000"}, "/description"),
        ({"title": "ok", "tags": "one"}, "/tags"),
        ({"title": "ok", "tags": ["x"] * 21}, "/tags"),
        ({"title": "ok", "tags": ["fine", ""]}, "/tags/1"),
        ({"title": "ok", "tags": ["x" * 51]}, "/tags/0"),
        ({"title": "ok", "tags": ["fine", "\u0000"]}, "/tags/1"),
        ({"title": "ok", "owner_id": "01a20788-434b-730a-ad27-acf2a9cae3f7"}, "/owner_id"),
        ({"title": "ok", "a/b~c": 1}, "/a~1b~0c"),
        ([], ""),
    ],
)
async def test_adding_an_item_says_which_value_is_wrong(api: Api, ann: Person, body: object, pointer: str) -> None:
    answer = await api.post("/items", ann, json=body)

    assert pointers(answer) == [pointer]


@pytest.mark.parametrize("title", ["x" * 200, "🦉" * 200, "line\u2028separator", " padded "])
async def test_titles_come_back_as_they_were_given(api: Api, ann: Person, title: str) -> None:
    answer = await api.post("/items", ann, json={"title": title})

    assert answer.json()["title"] == title


async def test_a_change_of_nothing_the_owner_may_change_is_refused(api: Api, ann: Person) -> None:
    item = (await api.post("/items", ann, json={"title": "Milk"})).json()

    answer = await api.patch(f"/items/{item['id']}", ann, json={"version": 7})

    assert pointers(answer) == ["/version"]


class TestPages:
    async def test_link_each_page_to_the_next(self, api: Api, ann: Person) -> None:
        for number in range(5):
            await api.post("/items", ann, json={"title": f"item {number}"})

        first = await api.get("/items", ann, params={"limit": 2, "sort": "title"})
        link = first.headers["link"]
        second = await api.client.request("GET", link[1 : link.index(">")], headers=ann.headers)
        third = await api.get(
            "/items", ann, params={"limit": 2, "sort": "title", "cursor": second.json()["next_cursor"]}
        )

        pages = [[item["title"] for item in page.json()["data"]] for page in (first, second, third)]
        assert pages == [["item 0", "item 1"], ["item 2", "item 3"], ["item 4"]]
        assert link.endswith('; rel="next"')
        assert parse_qs(urlsplit(link[1 : link.index(">")]).query)["sort"] == ["title"]
        assert third.json()["next_cursor"] is None
        assert "link" not in third.headers

    async def test_show_the_newest_first_unless_told_otherwise(self, api: Api, ann: Person) -> None:
        for title in ("old", "new"):
            await api.post("/items", ann, json={"title": title})

        newest_first = await api.get("/items", ann)
        oldest_first = await api.get("/items", ann, params={"sort": "created_at"})

        assert [item["title"] for item in newest_first.json()["data"]] == ["new", "old"]
        assert [item["title"] for item in oldest_first.json()["data"]] == ["old", "new"]

    async def test_hide_the_items_of_others(self, api: Api, ann: Person) -> None:
        bob = await api.a_person()
        await api.post("/items", bob, json={"title": "Bob's"})

        assert (await api.get("/items", ann)).json() == {"data": [], "next_cursor": None}

    async def test_refuse_a_cursor_of_another_list(self, api: Api, ann: Person) -> None:
        bob = await api.a_person()
        for person in (ann, ann, bob, bob):
            await api.post("/items", person, json={"title": "Milk"})
        cursor = (await api.get("/items", ann, params={"limit": 1})).json()["next_cursor"]

        bobs = await api.get("/items", bob, params={"limit": 1, "cursor": cursor})
        otherwise_sorted = await api.get("/items", ann, params={"limit": 1, "cursor": cursor, "sort": "title"})

        assert pointers(bobs) == pointers(otherwise_sorted) == ["/query/cursor"]

    @pytest.mark.parametrize("title", ["M", "Mi", "Mil"])
    async def test_refuse_a_cursor_with_any_character_changed(self, api: Api, ann: Person, title: str) -> None:
        for _ in range(2):
            await api.post("/items", ann, json={"title": title})
        by_title = {"limit": 1, "sort": "title"}
        cursor = (await api.get("/items", ann, params=by_title)).json()["next_cursor"]

        forged = [cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :] for at in range(len(cursor))]
        # Depending on the length, some bits of the last letter mean nothing.
        forged += [cursor[:-1] + letter for letter in ascii_letters if letter != cursor[-1]] + [f"{cursor}="]
        for each in forged:
            refused = await api.get("/items", ann, params=by_title | {"cursor": each})
            assert pointers(refused) == ["/query/cursor"]
        assert (await api.get("/items", ann, params=by_title | {"cursor": cursor})).json()["data"]

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("limit=0", "/query/limit"),
            ("limit=-1", "/query/limit"),
            ("limit=101", "/query/limit"),
            ("limit=1000000000000000000000", "/query/limit"),
            ("limit=1.5", "/query/limit"),
            ("limit=many", "/query/limit"),
            ("limit=", "/query/limit"),
            ("limit=1&limit=2", "/query/limit"),
            ("sort=owner_id", "/query/sort"),
            ("sort=title;drop table items", "/query/sort"),
            ("sort=%00", "/query/sort"),
            ("cursor=nonsense", "/query/cursor"),
            ("cursor=%C3%A9", "/query/cursor"),
            ("cursor=" + "A" * 3000, "/query/cursor"),
            ("offset=10", "/query/offset"),
            ("q=", "/query/q"),
            ("q=" + "x" * 201, "/query/q"),
            ("q=%1f", "/query/q"),
            ("tag=", "/query/tag"),
            ("tag=" + "x" * 51, "/query/tag"),
            ("created_after=2026-01-01T00:00:00", "/query/created_after"),
            ("created_before=yesterday", "/query/created_before"),
            ("owner_id=somebody", "/query/owner_id"),
        ],
    )
    async def test_say_which_parameter_is_wrong(self, api: Api, ann: Person, query: str, pointer: str) -> None:
        assert pointers(await api.get(f"/items?{query}", ann)) == [pointer]


class TestFilters:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"q": "MILK"}, ["Oat milk", "Milk"]),
            ({"q": "litres"}, ["Milk"]),
            ({"tag": "shop"}, ["Bread", "Milk"]),
            ({"tag": "sho"}, []),
            ({"q": "milk", "tag": "shop"}, ["Milk"]),
            ({"q": "%"}, []),
            ({"created_after": "2020-01-01T00:00:00Z"}, ["Oat milk", "Bread", "Milk"]),
            ({"created_after": "2190-01-01T00:00:00+02:00"}, []),
            ({"created_before": "2020-01-01T00:00:00Z"}, []),
        ],
    )
    async def test_list_what_all_of_them_let_through(
        self, api: Api, ann: Person, query: dict[str, str], found: list[str]
    ) -> None:
        for body in (
            {"title": "Milk", "description": "Two litres", "tags": ["shop"]},
            {"title": "Bread", "tags": ["shop", "food"]},
            {"title": "Oat milk"},
        ):
            await api.post("/items", ann, json=body)

        answer = await api.get("/items", ann, params=query)

        assert [item["title"] for item in answer.json()["data"]] == found

    async def test_stay_with_the_link_to_the_next_page(self, api: Api, ann: Person) -> None:
        for number in range(3):
            await api.post("/items", ann, json={"title": f"Grün {number}", "tags": ["a&b"]})
            await api.post("/items", ann, json={"title": f"Rot {number}"})

        page = await api.get("/items", ann, params={"q": "GRÜN", "tag": "a&b", "sort": "title", "limit": 2})
        link = page.headers["link"]
        last = await api.client.request("GET", link[1 : link.index(">")], headers=ann.headers)

        assert [item["title"] for item in last.json()["data"]] == ["Grün 2"]
        assert last.json()["next_cursor"] is None

    async def test_refuse_the_cursor_of_a_list_with_others(self, api: Api, ann: Person) -> None:
        for number in range(3):
            await api.post("/items", ann, json={"title": f"Milk {number}", "tags": ["shop"]})
        cursor = (await api.get("/items", ann, params={"q": "milk", "limit": 1})).json()["next_cursor"]

        for query in ({}, {"q": "mil"}, {"q": "milk", "tag": "shop"}):
            answer = await api.get("/items", ann, params={**query, "limit": 1, "cursor": cursor})

            assert pointers(answer) == ["/query/cursor"]


class TestOfOthers:
    @pytest.mark.parametrize("whose", ["any", "one's own", "somebody's"])
    async def test_are_not_listed_for_members(self, api: Api, ann: Person, whose: str) -> None:
        bob = await api.a_person()
        owner_id = {"any": "any", "one's own": ann.id, "somebody's": bob.id}[whose]

        problem(await api.get("/items", ann, params={"owner_id": owner_id}), 403, "forbidden")

    async def test_are_listed_for_administrators(self, api: Api, ann: Person) -> None:
        admin = await api.an_admin()
        for person, title in ((ann, "Ann's"), (admin, "The admin's")):
            await api.post("/items", person, json={"title": title})

        listed = {
            owner_id: [item["title"] for item in (await api.get("/items", admin, params=query)).json()["data"]]
            for owner_id, query in {
                "nobody named": {},
                "ann": {"owner_id": ann.id},
                "any": {"owner_id": "any"},
                "filtered": {"owner_id": "any", "q": "ann"},
                "nobody": {"owner_id": NOBODYS.rpartition("/")[2]},
            }.items()
        }

        assert listed == {
            "nobody named": ["The admin's"],
            "ann": ["Ann's"],
            "any": ["The admin's", "Ann's"],
            "filtered": ["Ann's"],
            "nobody": [],
        }

    async def test_come_in_pages_that_hold_each_once(self, api: Api, ann: Person) -> None:
        admin = await api.an_admin()
        for number in range(4):
            await api.post("/items", (ann, admin)[number % 2], json={"title": f"item {number}"})

        first = await api.get("/items", admin, params={"owner_id": "any", "limit": 3, "sort": "title"})
        query = {"owner_id": "any", "limit": 3, "sort": "title", "cursor": first.json()["next_cursor"]}
        second = await api.get("/items", admin, params=query)
        of_ann = await api.get("/items", admin, params=query | {"owner_id": ann.id})

        titles = [item["title"] for page in (first, second) for item in page.json()["data"]]
        assert titles == [f"item {number}" for number in range(4)]
        assert pointers(of_ann) == ["/query/cursor"]


class TestBatches:
    async def test_add_all(self, stored_api: Api) -> None:
        ann = await stored_api.a_person()
        bodies = [{"title": f"item {number}", "tags": ["a"] * (number % 2)} for number in range(1000)]

        answer = await stored_api.post("/items/batch", ann, json={"items": bodies})
        page = await stored_api.get("/items", ann, params={"limit": 1, "q": "item 999"})

        items = answer.json()["data"]
        assert answer.status_code == 201
        assert [item["title"] for item in items] == [body["title"] for body in bodies]
        assert {item["owner_id"] for item in items} == {ann.id}
        assert page.json()["data"] == items[999:]

    async def test_add_none_with_a_bad_one_among_them_and_point_at_each(self, stored_api: Api) -> None:
        ann = await stored_api.a_person()
        rows: list[object] = [
            {"title": "good"},
            {"title": 7},
            {"title": "\u0000"},
            {},
            {"title": "good", "tags": ["fine", "\u0000"]},
            {"title": "good", "owner_id": ann.id},
            None,
            [],
            {"title": "x" * 201},
            {"title": "good"},
        ]

        answer = await stored_api.post("/items/batch", ann, json={"items": rows})

        assert pointers(answer) == [
            "/items/1/title",
            "/items/2/title",
            "/items/3/title",
            "/items/4/tags/1",
            "/items/5/owner_id",
            "/items/6",
            "/items/7",
            "/items/8/title",
        ]
        assert (await stored_api.get("/items", ann)).json()["data"] == []

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/items"),
            ({"items": None}, "/items"),
            ({"items": {}}, "/items"),
            ({"items": [{"title": "x"}] * 1001}, "/items"),
            ({"items": [], "owner_id": "x"}, "/owner_id"),
            ([], ""),
        ],
    )
    async def test_say_what_is_wrong_with_the_whole(self, api: Api, ann: Person, body: object, pointer: str) -> None:
        assert pointers(await api.post("/items/batch", ann, json=body)) == [pointer]

    @pytest.mark.parametrize(
        "content", [b'{"items":[{"title":"x"},{]}', b'{"items":[{"title":"\xff"}]}', b'{"items":[' + b"[" * 100_000]
    )
    async def test_refuse_what_is_not_json(self, api: Api, ann: Person, content: bytes) -> None:
        headers = {"Content-Type": "application/json"}

        problem(await api.post("/items/batch", ann, content=content, headers=headers), 400, "malformed_body")

    async def test_may_be_empty(self, api: Api, ann: Person) -> None:
        answer = await api.post("/items/batch", ann, json={"items": []})

        assert (answer.status_code, answer.json()) == (201, {"data": []})

    async def test_are_added_once_however_often_they_come(self, stored_api: Api) -> None:
        ann = await stored_api.a_person()
        headers = {"Idempotency-Key": "a-batch"}
        body = {"items": [{"title": "Milk"}, {"title": "Bread", "tags": []}]}

        first = await stored_api.post("/items/batch", ann, json=body, headers=headers)
        again = await stored_api.post(
            "/items/batch",
            ann,
            content=b'{"items": [{"title":"Milk"}, {"description":null, "title":"Bread"}]}',
            headers={**headers, "Content-Type": "application/json"},
        )
        other = await stored_api.post("/items/batch", ann, json={"items": []}, headers=headers)
        elsewhere = await stored_api.post("/items", ann, json={"title": "Beer"}, headers=headers)

        assert again.json() == first.json()
        assert again.headers["idempotency-replayed"] == "true"
        problem(other, 422, "idempotency_key_reused")
        assert elsewhere.status_code == 201
        assert len((await stored_api.get("/items", ann)).json()["data"]) == 3
