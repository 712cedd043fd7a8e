"""Units of work and use cases, as an entrypoint would get them from the container."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from dishka import AsyncContainer

from application.auth.ports import SessionRepository
from application.items.ports import ItemRepository
from application.ports import StandingChanges, UnitOfWork
from application.users.ports import UserRepository
from domain.auth.session import Session
from domain.items.item import Item
from domain.users.user import User


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of work, with what can be changed in it."""

    work: UnitOfWork
    users: UserRepository
    sessions: SessionRepository
    items: ItemRepository
    standing_changes: StandingChanges

    async def commit(self) -> None:
        """Make it true."""
        await self.work.commit()


@asynccontextmanager
async def a_unit(container: AsyncContainer) -> AsyncGenerator[Unit]:
    """Open a unit of work, and forget at the end what was not committed."""
    async with container() as scope:
        yield Unit(
            work=await scope.get(UnitOfWork),
            users=await scope.get(UserRepository),
            sessions=await scope.get(SessionRepository),
            items=await scope.get(ItemRepository),
            standing_changes=await scope.get(StandingChanges),
        )


async def store(container: AsyncContainer, *things: User | Session | Item) -> None:
    """Commit these things, owners first."""
    async with a_unit(container) as unit:
        for thing in things:
            match thing:
                case User():
                    await unit.users.add(thing)
                case Session():
                    await unit.sessions.add(thing)
                case Item():
                    await unit.items.add(thing)
        await unit.commit()


class UseCase[**Arguments, Result](Protocol):
    """What every use case is: something to call."""

    async def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Do it."""
        ...


def use[**Arguments, Result](
    container: AsyncContainer, use_case: type[UseCase[Arguments, Result]]
) -> Callable[Arguments, Awaitable[Result]]:
    """Return the use case as a function of which each call is a request of its own, with its own unit of work."""

    async def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        async with container() as scope:
            ready: UseCase[Arguments, Result] = await scope.get(use_case)
            return await ready(*args, **kwargs)

    return call
