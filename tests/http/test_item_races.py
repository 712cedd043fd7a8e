"""Many who change one item at once, each on a connection of their own."""

import asyncio
from functools import partial

from tests.api import Api, certainly

WRITERS = 25


async def test_of_many_writers_with_one_tag_exactly_one_wins(stored_api: Api) -> None:
    ann = await stored_api.a_person()
    made = await stored_api.post("/items", ann, json={"title": "Milk"})
    path = f"/items/{made.json()['id']}"

    answers = await asyncio.gather(
        *(
            certainly(
                partial(
                    stored_api.patch,
                    path,
                    ann,
                    json={"title": f"Writer {number}"},
                    headers={"If-Match": made.headers["etag"]},
                )
            )
            for number in range(WRITERS)
        )
    )

    statuses = [answer.status_code for answer in answers]
    item = (await stored_api.get(path, ann)).json()
    assert sorted(statuses) == [200] + [412] * (WRITERS - 1)
    assert item["title"] == f"Writer {statuses.index(200)}"
    assert item["version"] == 2


async def test_writers_without_a_tag_do_not_undo_each_other(stored_api: Api) -> None:
    ann = await stored_api.a_person()
    path = f"/items/{(await stored_api.post('/items', ann, json={'title': 'Milk'})).json()['id']}"
    changes = [{"title": "Bread"}, {"description": "Rye"}, {"tags": ["food"]}] * 5

    answers = await asyncio.gather(
        *(certainly(partial(stored_api.patch, path, ann, json=change)) for change in changes)
    )

    item = (await stored_api.get(path, ann)).json()
    assert [answer.status_code for answer in answers] == [200] * len(changes)
    assert (item["title"], item["description"], item["tags"]) == ("Bread", "Rye", ["food"])
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, len(changes) + 2))
    assert item["version"] == len(changes) + 1


async def test_of_many_who_delete_with_one_tag_exactly_one_does(stored_api: Api) -> None:
    ann = await stored_api.a_person()
    made = await stored_api.post("/items", ann, json={"title": "Milk"})
    path = f"/items/{made.json()['id']}"

    answers = await asyncio.gather(
        *(
            certainly(partial(stored_api.delete, path, ann, headers={"If-Match": made.headers["etag"]}))
            for _ in range(WRITERS)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [204] + [404] * (WRITERS - 1)
