"""What is measured: by whom, on what, and which figures it gives.

=======================  ==========================================================================================
figure                   what it is
=======================  ==========================================================================================
`rate`                   requests, rows or inserts a second
`p50`, `p99`             milliseconds
`cpu`, `database`        milliseconds of the server's core, and of PostgreSQL's, for 1,000 requests or rows
`memory`, `share`        MB in memory of the largest worker, at rest afterwards; its share of that (proc(5), Pss)
`rise`                   by how many MB it had more than before
`statements`, `trips`    of one request to PostgreSQL
`wall`, `own`            milliseconds that a start takes, and that it computes
`errors`                 requests that failed
=======================  ==========================================================================================
"""

import asyncio
import csv
import io
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import msgspec

from entrypoints.cli.serve import SQLITE_FOR_PROCESSES
from tests.bench.clients import Clients
from tests.bench.databases import SPREAD, Data, Databases, Storage, email, path_of
from tests.bench.load import load
from tests.bench.machine import Machine
from tests.bench.servers import API, ROOT, Server, environment, portico, started
from tests.wire import Traffic, watched

CONNECTIONS = 32
HASHING = 4
"""Connections for what computes for so long that more of them would only queue."""

WARM_UP_MAX = 3
"""Seconds."""

COUNTED = 100
ENDURANCE = 200_000
FILE = Data(100_000)
FORMATS = {"ndjson": "application/x-ndjson", "csv": "text/csv"}
DEPTHS = (1, 10, 100, 1_000)
MIX = [
    *["item", "page", "item", "page 10", "item", "page", "item"] * 10,
    *["create", "patch"] * 10,
    *["me", "refresh", "me", "me", "refresh", "me", "me", "refresh", "me", "login"],
]
"""70 % reads, 20 % writes, 10 % calls about accounts."""

type Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is measured: Portico on a storage, or a limit."""

    name: str
    storage: Storage
    is_limit: bool = False


LIMIT = Subject("limit", Storage.POSTGRESQL, is_limit=True)
BARE = Subject("bare insert", Storage.SQLITE, is_limit=True)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where to measure, and for how long."""

    machine: Machine
    databases: Databases
    seconds: float

    @contextmanager
    def server(self, subject: Subject, data: Data, *, writes: bool = False, workers: int = 1) -> Iterator[Server]:
        """Yield a fresh server that is ready; one that writes has a copy of the data."""
        with (
            self.databases.opened(subject.storage, data, is_copied=writes) as url,
            self.started(url, "--workers", str(workers), is_limit=subject.is_limit) as server,
        ):
            server.wait_until_ready(workers)
            yield server

    def started(self, url: str, *options: str, is_limit: bool = False) -> AbstractContextManager[Server]:
        """Start a server, which need not be ready yet."""
        return started(self.machine, self.databases.folder, url, *options, is_limit=is_limit)


@dataclass(frozen=True, slots=True)
class Workload:
    """Something to measure, and of whom. Those of one group are chosen together."""

    group: str
    name: str
    subjects: tuple[Subject, ...]
    measure: Callable[[Bench, Subject], Figures]
    is_long: bool = False
    """Whether one round of it is enough."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests for some seconds, sent in the order of a schedule."""

    schedule: Sequence[str]
    data: Data = SPREAD
    writes: bool = False
    workers: int = 1
    connections: int = CONNECTIONS

    def __call__(self, bench: Bench, subject: Subject) -> Figures:
        """Measure, having warmed up."""
        with bench.server(subject, self.data, writes=self.writes, workers=self.workers) as server:
            clients = Clients(server, self.data, is_limit=subject.is_limit)
            warming, measured = [clients.script(self.schedule, part=part) for part in (0, 1)]
            load(server, warming, connections=self.connections, seconds=min(bench.seconds, WARM_UP_MAX))
            server.settle()
            cpu, database = server.cpu(), bench.databases.cpu()
            outcome = load(server, measured, connections=self.connections, seconds=bench.seconds)
            figures = {
                "rate": outcome.requests / outcome.seconds,
                "p50": outcome.p50,
                "p99": outcome.p99,
                "cpu": (server.cpu() - cpu) / outcome.requests * 1e6,
                "database": (bench.databases.cpu() - database) / outcome.requests * 1e6,
                "errors": outcome.errors,
            }
            return figures | server.memories()

    def sent_to(self, server: Server, *, is_limit: bool) -> tuple[Callable[[], object], Callable[[], int]]:
        """Return what sends some of its requests to warm up, and some more."""
        clients = Clients(server, self.data, is_limit=is_limit)
        warming, counted = [clients.script(self.schedule, part=part) for part in (0, 1)]
        return (
            lambda: load(server, warming, connections=1, stop_after=COUNTED // 4),
            # The last one is not awaited by the load, but by who counts.
            lambda: load(server, counted, connections=1, stop_after=COUNTED).requests + 1,
        )


@dataclass(frozen=True, slots=True)
class File:
    """A file to be imported or exported."""

    format: str
    is_exported: bool = False

    @property
    def data(self) -> Data:
        """What is in the database: all of what is exported, or something else."""
        return FILE if self.is_exported else SPREAD

    @property
    def writes(self) -> bool:
        """Whether it is imported."""
        return not self.is_exported

    def __call__(self, bench: Bench, subject: Subject) -> Figures:
        """Measure how fast it is moved, and what that takes."""
        # It is moved by a server and a database side by side: what counts is how soon the machine is done.
        with (
            bench.machine.on_all_cores(bench.databases.pid),
            bench.server(subject, self.data, writes=self.writes) as server,
        ):
            warm_up, move = self._moves(server, is_limit=subject.is_limit)
            warm_up()
            server.settle()
            server.forget_peak()
            memory, cpu, database, began = server.memory(), server.cpu(), bench.databases.cpu(), time.perf_counter()
            rows = move()
            figures = {
                "rate": rows / (time.perf_counter() - began),
                "cpu": (server.cpu() - cpu) / rows * 1e6,
                "database": (bench.databases.cpu() - database) / rows * 1e6,
                "rise": server.memory("VmHWM") - memory,
                "errors": FILE.items - rows,
            }
            return figures | server.memories()

    def sent_to(self, server: Server, *, is_limit: bool) -> tuple[Callable[[], object], Callable[[], int]]:
        """Return what moves a small file, if it is imported, and what moves the file, by one request."""
        warm_up, move = self._moves(server, is_limit=is_limit)

        def send() -> int:
            move()
            return 1

        return warm_up, send

    def _moves(self, server: Server, *, is_limit: bool) -> tuple[Callable[[], object], Callable[[], int]]:
        token = Clients(server, self.data, is_limit=is_limit).token
        if self.is_exported:
            path = f"{API}/items/export?format={self.format}"
            return lambda: None, lambda: server.call("GET", path, token=token).count(b"Item ")

        def send(body: bytes) -> int:
            answer = server.call("POST", f"{API}/items/import", token=token, body=body, kind=FORMATS[self.format])
            created: int = msgspec.json.decode(answer)["created"]
            return created

        small, whole = (_file(self.format, rows) for rows in (1_000, FILE.items))
        return lambda: send(small), lambda: send(whole)


type Countable = Requests | File
"""Of what each request can be counted, too."""


def count(bench: Bench, subject: Subject, measures: Sequence[Countable]) -> list[Figures]:
    """Return what one request of each says to PostgreSQL, counted on the wire, one request after another.

    All have the same data.
    """

    def counted(url: str, traffic: Traffic) -> Iterator[Figures]:
        # Without what a server does of its own accord, such as looking for mail.
        with bench.started(url, *([] if subject.is_limit else ["--no-worker"]), is_limit=subject.is_limit) as server:
            server.wait_until_ready()
            for measure in measures:
                warm_up, send = measure.sent_to(server, is_limit=subject.is_limit)
                warm_up()
                server.settle()
                traffic.forget()
                requests = send()
                server.settle()
                yield {"statements": len(traffic.statements) / requests, "trips": traffic.round_trips / requests}

    async def beside_the_proxy(direct: str) -> list[Figures]:
        async with watched(direct) as (url, traffic):
            return await asyncio.to_thread(lambda: list(counted(url, traffic)))

    is_copied = any(measure.writes for measure in measures)
    with bench.databases.opened(subject.storage, measures[0].data, is_copied=is_copied) as direct:
        return asyncio.run(beside_the_proxy(direct))


def measure_endurance(bench: Bench, subject: Subject) -> Figures:
    """Return what many requests leave in memory, and how much more that is than what a tenth of them leave."""
    with bench.server(subject, SPREAD, writes=True) as server:
        clients = Clients(server, SPREAD, is_limit=subject.is_limit)
        first, rest = [clients.script(MIX, part=part) for part in (0, 1)]
        begun = load(server, first, connections=CONNECTIONS, stop_after=ENDURANCE // 10)
        memory = server.memories()["memory"]
        done = load(server, rest, connections=CONNECTIONS, stop_after=ENDURANCE - begun.requests)
        figures = {"rate": done.requests / done.seconds, "errors": begun.errors + done.errors}
        memories = server.memories()
        return figures | memories | {"rise": memories["memory"] - memory}


def _file(name: str, rows: int) -> bytes:
    fields = ("title", "description", "tags")
    texts = [(*FILE.texts(number), f"tag {number % 50}") for number in range(rows)]
    if name == "ndjson":
        return b"\n".join(
            msgspec.json.encode({**dict(zip(fields, row, strict=True)), "tags": [row[2]]}) for row in texts
        )
    file = io.StringIO()
    csv.writer(file).writerows([fields, *texts])
    return file.getvalue().encode()


def measure_first_answer(bench: Bench, subject: Subject) -> Figures:
    """Return how long `portico serve` takes to answer, on a database that is there."""

    def start(url: str) -> Figures:
        began = time.perf_counter()
        with bench.started(url) as server:
            server.wait_until_ready()
            return {"wall": (time.perf_counter() - began) * 1e3, "own": server.cpu() * 1e3}

    with bench.databases.opened(subject.storage, SPREAD, is_copied=True) as url:
        start(url)
        return start(url)


def measure_command(arguments: Sequence[str], bench: Bench, subject: Subject) -> Figures:
    """Return how long a command takes."""

    def run(environ: Mapping[str, str]) -> Figures:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(portico(*arguments), check=True, stdout=subprocess.DEVNULL, env=environ)  # noqa: S603 - ours
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        own = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return {"wall": wall * 1e3, "own": own * 1e3}

    with bench.databases.opened(subject.storage, SPREAD) as url, bench.machine.on_server_core():
        environ = environment(bench.databases.folder, url)
        run(environ)
        return run(environ)


def measure_bare_inserts(bench: Bench, subject: Subject) -> Figures:
    """Return how many inserts a second a bare driver does."""
    with bench.databases.opened(subject.storage, SPREAD, is_copied=True) as url, bench.machine.on_server_core():
        command = [sys.executable, "-m", "tests.bench.bare_insert", str(path_of(url)), str(bench.seconds)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT)  # noqa: S603 - ours
    return {"rate": float(done.stdout)}


def all_workloads(storages: Sequence[Storage], sizes: Sequence[int]) -> list[Workload]:
    """Return what can be measured on these storages with so many items."""
    portico_on = tuple(Subject(storage.value, storage) for storage in storages)
    on_sqlite = tuple(subject for subject in portico_on if subject.storage is Storage.SQLITE)
    everybody = (LIMIT, *portico_on)
    serves_in_two = sqlite3.sqlite_version_info >= SQLITE_FOR_PROCESSES
    in_two = everybody if serves_in_two else tuple(subject for subject in everybody if subject not in on_sqlite)
    largest = Data(max(sizes))
    list_items = ["items", "list", "--owner", email(0), "--limit", "50"]

    def requests(name: str, *, writes: bool = False, connections: int = CONNECTIONS) -> Workload:
        return Workload(name, name, everybody, Requests([name], writes=writes, connections=connections))

    def alone(group: str, name: str, request: str, data: Data) -> Workload:
        # One request at a time, so that each takes as long as it takes.
        return Workload(group, name, everybody, Requests([request], data, connections=1))

    return [
        *(requests(name) for name in ("health", "item", "page", "me")),
        *(requests(name, writes=True) for name in ("create", "patch", "refresh")),
        requests("login", writes=True, connections=HASHING),
        Workload("create", "create", on_sqlite and (BARE,), measure_bare_inserts),
        Workload("mix", "mix", in_two, Requests(MIX, writes=True, workers=2)),
        *(alone("depth", f"page {depth:,}", f"page {depth}", largest) for depth in DEPTHS),
        *(
            alone("growth", f"{name} of {size:,}", name, Data(size))
            for name in ("item", "page")
            for size in sorted(sizes)
        ),
        alone("search", f"search in {largest.items:,}", "search", largest),
        *(Workload("import", f"import {name}", everybody, File(name)) for name in FORMATS),
        *(Workload("export", f"export {name}", everybody, File(name, is_exported=True)) for name in FORMATS),
        Workload("endurance", "endurance", portico_on, measure_endurance, is_long=True),
        Workload("start", "first answer", on_sqlite, measure_first_answer),
        Workload("start", "portico --help", on_sqlite, partial(measure_command, ["--help"])),
        Workload("start", "portico items list", on_sqlite, partial(measure_command, list_items)),
    ]
