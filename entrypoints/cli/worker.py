"""`portico worker`: what goes on beside requests, in a process of its own."""

import asyncio
import signal

import click
from dishka import FromDishka

from entrypoints.cli.messages import print_message
from entrypoints.cli.runner import injected
from entrypoints.logs import configure_logging
from entrypoints.settings import Settings
from entrypoints.worker import Worker


@click.command("worker")
@injected
async def worker(at_work: FromDishka[Worker], settings: FromDishka[Settings]) -> None:
    """Deliver mail and purge what expired, until SIGTERM or Ctrl-C.

    `portico serve` does so itself, unless it is told --no-worker. Any number may run at once.
    """
    configure_logging(settings)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        at_work.stop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)  # a second one ends it at once

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    print_message("Portico delivers mail and purges what expired.")
    await at_work.run()
