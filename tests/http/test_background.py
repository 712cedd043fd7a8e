import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from application.ports import StandingListener
from entrypoints.background import Housekeeping, in_background
from entrypoints.http.app import Application
from tests.containers import Given, container_for, settings_for


async def test_a_task_is_over_when_the_application_is() -> None:
    ended = asyncio.Event()

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with in_background(run, name="task"):
        await asyncio.sleep(0)

    assert ended.is_set()


@pytest.mark.parametrize("fails", [True, False])
async def test_a_task_that_fails_is_heard_of_and_disturbs_nobody(fails: bool) -> None:
    async def run() -> None:
        if fails:
            raise LookupError("a bug")

    with capture_logs() as logs:
        async with in_background(run, name="task"):
            await asyncio.sleep(0)

    assert [(log["event"], log["task"]) for log in logs] == [("background task failed", "task")] * fails


async def test_an_application_that_cannot_start_says_so() -> None:
    settings = settings_for("memory:")
    app = Application(container_for(settings, Given({StandingListener: object()})), settings)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope: Any = {"type": "lifespan", "state": {}}
    with pytest.raises(AttributeError):
        await app(scope, receive, send)

    assert sent == ["lifespan.startup.failed"]


async def test_memory_is_kept_small_for_as_long_as_an_application_lives() -> None:
    class Keeping:
        is_at_work = False

        async def run(self) -> None:
            self.is_at_work = True
            try:
                await asyncio.Event().wait()
            finally:
                self.is_at_work = False

    keeping, settings = Keeping(), settings_for("memory:")
    app = Application(container_for(settings, Given({Housekeeping: keeping})), settings)
    was_at_work: list[bool] = []
    messages = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Any:
        await asyncio.sleep(0)
        was_at_work.append(keeping.is_at_work)
        return {"type": next(messages)}

    async def send(message: Any) -> None:
        pass

    scope: Any = {"type": "lifespan", "state": {}}
    await app(scope, receive, send)

    assert was_at_work == [False, True]
    assert not keeping.is_at_work
