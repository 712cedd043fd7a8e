"""What came of it: medians, verdicts and tables."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

CPU = {
    "health": (4, 2),
    "item": (5, 2.5),
    "page": (3.5, 2),
    "me": (5, 2.5),
    "create": (5, 3),
    "patch": (5, 3),
    "refresh": (4, 2),
    "login": (1.15, 1.05),
    **{f"{move} {name}": (3, 2) for move in ("import", "export") for name in ("ndjson", "csv")},
}
"""The most that a request may cost the server, as a multiple of what it costs the limit, and what is aimed at."""

LIMIT, POSTGRESQL, SQLITE = EVERYBODY = ("limit", "postgresql", "sqlite")
STORAGES = (POSTGRESQL, SQLITE)
LEGEND = """\
CPU: milliseconds of the server's core for 1,000 requests or rows; ×: PostgreSQL's, of the limit's; DB: of PostgreSQL.
p50, p99: milliseconds. SQL, trips: statements and round trips of one request on PostgreSQL. MB: in the
largest worker at rest, and its share of that: what it has in common with its supervisor counts half.
What is `of` or `in` so many items, or a page with a number, is asked for one at a time, by who owns all of them.
"""


class Sample(NamedTuple):
    """The figures of one measurement."""

    workload: str
    subject: str
    figures: dict[str, float]


class Results:
    """The median of each figure over all rounds."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        collected: dict[tuple[str, str], dict[str, list[float]]] = {}
        for workload, subject, figures in samples:
            for name, figure in figures.items():
                collected.setdefault((workload, subject), {}).setdefault(name, []).append(figure)
        self.medians = {
            key: {name: statistics.median(each) for name, each in figures.items()} for key, figures in collected.items()
        }

    def get(self, workload: str, subject: str, figure: str) -> float | None:
        """Return a figure, unless it was not measured."""
        return self.medians.get((workload, subject), {}).get(figure)

    def cost(self, workload: str, subject: str) -> float | None:
        """Return what it takes of both cores, unless it was not measured."""
        server, database = self.get(workload, subject, "cpu"), self.get(workload, subject, "database")
        return None if server is None or database is None else server + database

    def workloads(self, start: str = "", *, having: str = "rate") -> list[str]:
        """Return the names of what begins so and has such a figure, in the order in which it was measured."""
        names = (name for (name, _), figures in self.medians.items() if name.startswith(start) and having in figures)
        return list(dict.fromkeys(names))


# --- verdicts


class Target(NamedTuple):
    """What must be reached and what is aimed at, by default at most, and what was reached."""

    name: str
    reached: float
    must: float
    aim: float | None = None
    is_least: bool = False

    def reaches(self, value: float) -> bool:
        """Tell whether it is good enough."""
        return self.reached >= value if self.is_least else self.reached <= value

    @property
    def verdict(self) -> str:
        """What to say of it in a word."""
        if not self.reaches(self.must):
            return "missed"
        return "aim met" if self.aim is not None and self.reaches(self.aim) else "met"


def targets(results: Results) -> Iterator[Target]:
    """Yield all that has to be reached and was measured."""
    for workload, (must, aim) in CPU.items():
        of_limit = _ratio(results.get(workload, POSTGRESQL, "cpu"), results.get(workload, LIMIT, "cpu"))
        if of_limit is not None:
            yield Target(f"{workload}: CPU, of the limit's", of_limit, must, aim)
    for storage in STORAGES:
        yield from _growths(results, storage)
        yield from _bounds(results, storage)
    yield from _rates(results)
    yield Target("errors", sum(figures.get("errors", 0) for figures in results.medians.values()), 0)


def _growths(results: Results, storage: str) -> Iterator[Target]:
    for curve in (_depths(results), results.workloads("item of"), results.workloads("page of")):
        grown = _ratio(results.cost(curve[-1], storage), results.cost(curve[0], storage)) if curve[1:] else None
        if grown is not None:
            yield Target(f"{curve[-1]}: CPU of both cores, of {curve[0]}'s, {storage}", grown, 1.2, 1.1)


def _bounds(results: Results, storage: str) -> Iterator[Target]:
    loads = results.workloads(having="memory")
    for what, names, figure, unit, must in (
        ("search", results.workloads("search"), "p99", "p99 in ms", 50),
        ("import", results.workloads("import"), "rise", "rise in MB", 50),
        ("endurance", ["endurance"], "rise", "rise in MB", 5),
        ("all", loads, "memory", "MB in a worker", 90),
        ("all", loads, "share", "MB in a worker, its share", 90),
        ("first answer", ["first answer"], "own", "CPU in ms", 1_000),
        ("portico --help", ["portico --help"], "own", "CPU in ms", 250),
    ):
        measured = [results.get(name, storage, figure) for name in names]
        if reached := [each for each in measured if each is not None]:
            yield Target(f"{what}: {unit}, {storage}", max(reached), must)


def _rates(results: Results) -> Iterator[Target]:
    of_bare = _ratio(results.get("create", SQLITE, "rate"), results.get("create", "bare insert", "rate"))
    if of_bare is not None:
        yield Target("create: rate, of a bare insert's, sqlite", of_bare, 0.6, 0.8, is_least=True)


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _depths(results: Results) -> list[str]:
    return [name for name in results.workloads("page ") if " of " not in name]


# --- tables


class Table(NamedTuple):
    """Rows under a header, the first column being names."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Return it as the README has it."""
        lines = [self.header, ["---", *["--:"] * (len(self.header) - 1)], *self.rows]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def tables(results: Results, reached: Sequence[Target]) -> list[Table]:
    """Return all figures as people read them, and the verdicts."""

    def cells(name: str, figure: str, *subjects: str) -> list[str]:
        return [_shown(results.get(name, subject, figure)) for subject in subjects]

    def largest(name: str, figure: str) -> float | None:
        return max(filter(None, (results.get(name, storage, figure) for storage in STORAGES)), default=None)

    def memory(name: str) -> str:
        return ", ".join(_shown(largest(name, figure)) for figure in ("memory", "share"))

    def of_limit(name: str) -> str:
        return _shown(_ratio(results.get(name, POSTGRESQL, "cpu"), results.get(name, LIMIT, "cpu")))

    def said(name: str) -> str:
        return ", ".join(cells(name, "statements", POSTGRESQL) + cells(name, "trips", POSTGRESQL))

    def load(name: str) -> list[str]:
        return [
            *(name, *cells(name, "cpu", LIMIT, POSTGRESQL), of_limit(name), *cells(name, "cpu", SQLITE)),
            *(*cells(name, "database", POSTGRESQL), *cells(name, "rate", *EVERYBODY)),
            *(", ".join(cells(name, "p50", storage) + cells(name, "p99", storage)) for storage in STORAGES),
            said(name),
            memory(name),
        ]

    def file(name: str) -> list[str]:
        return [
            *(name, *cells(name, "cpu", LIMIT, POSTGRESQL), of_limit(name), *cells(name, "cpu", SQLITE)),
            *(*cells(name, "database", POSTGRESQL), *cells(name, "rate", *EVERYBODY), *cells(name, "rise", *STORAGES)),
            said(name),
            memory(name),
        ]

    both = ["", "CPU: limit", "PostgreSQL", "×", "SQLite", "DB", "per second: limit", "PostgreSQL", "SQLite"]
    per_load = [*both, "p50, p99: PostgreSQL", "SQLite", "SQL, trips", "MB, share"]
    per_file = [*both, "MB more: PostgreSQL", "SQLite", "SQL, trips", "MB, share"]
    files = [*results.workloads("import"), *results.workloads("export")]
    verdicts = [
        (
            each.name,
            _shown(each.reached),
            f"{'≥' if each.is_least else '≤'} {_shown(each.must)}",
            _shown(each.aim),
            each.verdict,
        )
        for each in reached
    ]
    found = [
        Table(per_load, [load(name) for name in results.workloads(having="p50")]),
        Table(per_file, [file(name) for name in files]),
        Table(
            ["", "ms", "CPU"],
            [
                [name, *cells(name, "wall", SQLITE), *cells(name, "own", SQLITE)]
                for name in results.workloads(having="wall")
            ],
        ),
        Table(["", "reached", "must be", "aim", ""], verdicts),
    ]
    return [table for table in found if table.rows]


def _shown(figure: float | None) -> str:
    if figure is None:
        return "–"
    digits = 0 if abs(figure) >= 100 else 1 if abs(figure) >= 10 else 2
    text = f"{figure:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
