import asyncio

import pytest
from structlog.testing import capture_logs

from entrypoints.background import in_background


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
