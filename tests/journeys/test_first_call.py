"""The first minute: what the README shows, over each storage."""

from entrypoints.settings import Settings
from tests.api import problem, serve
from tests.builders import PASSWORD
from tests.containers import Override


async def test_sign_up_log_in_create_an_item_and_list_it(storage: Settings, overrides: tuple[Override, ...]) -> None:
    async with serve(storage, *overrides) as api:
        account = await api.post("/users", json={"email": "ann@example.org", "password": PASSWORD})
        tokens = (await api.login("ann@example.org")).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        item = await api.post("/items", json={"title": "Milk", "tags": ["shop"]}, headers=headers)
        changed = await api.patch(
            f"/items/{item.json()['id']}", json={"title": "Oat milk"}, headers=headers | {"If-Match": '"1"'}
        )
        items = await api.get("/items", headers=headers)
        again = await api.post("/users", json={"email": "ANN@example.org", "password": PASSWORD})
        refreshed = await api.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        await api.post("/auth/logout", headers=headers)
        afterwards = await api.get("/items", headers=headers)

    assert (account.status_code, item.status_code, changed.status_code, refreshed.status_code) == (201, 201, 200, 200)
    assert items.json() == {"data": [changed.json()], "next_cursor": None}
    assert items.json()["data"][0]["tags"] == ["shop"]
    problem(again, 409, "email_taken")
    problem(afterwards, 401, "invalid_token")


async def test_what_was_done_is_there_after_a_restart(storage: Settings, overrides: tuple[Override, ...]) -> None:
    if storage.is_memory:
        return
    async with serve(storage, *overrides) as api:
        ann = await api.a_person()
        item = (await api.post("/items", ann, json={"title": "Milk"})).json()

    async with serve(storage, *overrides) as api:
        shown = await api.get(f"/items/{item['id']}", ann)

    assert shown.json() == item
