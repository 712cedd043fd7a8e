"""`python -m tests.bench`: measure Portico against the limit, and say what came of it."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from tests.bench.databases import Data, Databases, Storage
from tests.bench.drawing import drawing
from tests.bench.machine import Machine, describe
from tests.bench.report import LEGEND, Results, Sample, Table, Target, tables, targets
from tests.bench.servers import ROOT
from tests.bench.workloads import (
    Bench,
    Countable,
    Figures,
    File,
    Requests,
    Subject,
    Workload,
    all_workloads,
    count,
)
from tests.cluster import ClusterFolder

PLOT = "docs/measured.svg"
MARKS = ("<!-- measured -->\n", "<!-- end of what was measured -->\n")

_STOPS = (signal.SIGINT, signal.SIGTERM)
_console = Console(width=max(Console().width, 160), highlight=False)


def main() -> int:
    """Measure; return 1 if something was missed that must be reached, unless nobody asked."""
    options = _options()
    machine = Machine()
    for number in _STOPS:
        signal.signal(number, _stop)
    chosen = [
        workload
        for workload in all_workloads(options.databases, options.sizes)
        if not options.workloads or workload.group in options.workloads
    ]
    samples: list[Sample] = []

    def note(workload: str, subject: Subject, figures: Figures) -> None:
        samples.append(Sample(workload, subject.name, figures))
        shown = ", ".join(f"{name} {figure:,.2f}" for name, figure in figures.items())
        _console.print(f"[bold]{workload}, {subject.name}[/]: {shown}")

    reached: list[Target] = []
    with closing(ClusterFolder()) as folder:
        databases = Databases(folder.path)
        try:
            with databases.running():
                bench = Bench(machine, databases, options.seconds)
                _measure(bench, chosen, options.rounds, note)
                _count(bench, chosen, note)
        finally:
            # Of what was measured before it was stopped, or failed, too.
            reached += _report(samples, options)
    return int(not options.no_verdict and not all(target.reaches(target.must) for target in reached))


def _stop(*_: object) -> None:
    """End, and all that was started with it, whatever is said meanwhile."""
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _options() -> argparse.Namespace:
    storages, sizes = list(Storage), [10_000, 100_000, 1_000_000]
    groups = list(dict.fromkeys(workload.group for workload in all_workloads(storages, sizes)))
    parser = argparse.ArgumentParser("python -m tests.bench", description="Measure Portico against the limit.")
    parser.add_argument("--databases", nargs="+", type=Storage, choices=storages, default=storages)
    parser.add_argument("--workloads", nargs="+", choices=groups, help="all by default")
    parser.add_argument("--seconds", type=float, default=5, help="of load for each measurement (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the medians are taken (default: 3)")
    parser.add_argument("--sizes", nargs="+", type=int, default=sizes, help="of the data that grow, in items")
    parser.add_argument("--output", type=Path, default=ROOT / ".bench", help="folder of the results (default: .bench)")
    parser.add_argument("--readme", action="store_true", help="put the tables into README.md, and the plot beside it")
    parser.add_argument("--no-verdict", action="store_true", help="exit with 0 whatever was missed")
    return parser.parse_args()


def _measure(
    bench: Bench, workloads: Sequence[Workload], rounds: int, note: Callable[[str, Subject, Figures], None]
) -> None:
    for number in range(rounds):
        _console.rule(f"round {number + 1} of {rounds}")
        for workload in workloads:
            for subject in workload.subjects:
                if number == 0 or not workload.is_long:
                    note(workload.name, subject, workload.measure(bench, subject))


def _count(bench: Bench, workloads: Sequence[Workload], note: Callable[[str, Subject, Figures], None]) -> None:
    _console.rule("what a request says to PostgreSQL")
    countable: dict[Data, dict[str, Countable]] = {}
    for workload in workloads:
        if isinstance(workload.measure, Requests | File):
            countable.setdefault(workload.measure.data, {})[workload.name] = workload.measure
    for subject in dict.fromkeys(subject for workload in workloads for subject in workload.subjects):
        if subject.storage is Storage.POSTGRESQL:
            for measures in countable.values():
                for name, figures in zip(measures, count(bench, subject, list(measures.values())), strict=True):
                    note(name, subject, figures)


def _report(samples: Sequence[Sample], options: argparse.Namespace) -> list[Target]:
    results, machine = Results(samples), describe()
    reached = list(targets(results))
    found = tables(results, reached)
    for table in found:
        _print(table)
    _console.print(LEGEND)
    options.output.mkdir(parents=True, exist_ok=True)
    record = {
        "machine": machine,
        "options": {name: str(value) for name, value in vars(options).items()},
        "samples": [sample._asdict() for sample in samples],
        "medians": [{"workload": key[0], "subject": key[1], **figures} for key, figures in results.medians.items()],
        "targets": [target._asdict() | {"verdict": target.verdict} for target in reached],
    }
    (options.output / "bench.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    plot = drawing(results)
    (options.output / "bench.svg").write_text(plot, encoding="utf-8")
    _console.print(f"{options.output}: bench.json, bench.svg")
    if options.readme:
        parts = " · ".join(value if name == "machine" else f"{name} {value}" for name, value in machine.items())
        run = f"{parts} · medians of {options.rounds}, {options.seconds:g} s each\n"
        (ROOT / PLOT).parent.mkdir(exist_ok=True)
        (ROOT / PLOT).write_text(plot, encoding="utf-8")
        shown = f"![latency against the number of items and the depth of a page]({PLOT})\n"
        _put_into_readme("\n".join(["", run, *(table.markdown() for table in found), LEGEND, shown]))
    return reached


def _print(table: Table) -> None:
    shown = RichTable(box=None, header_style="bold")
    for at, title in enumerate(table.header):
        shown.add_column(title, justify="right" if at else "left")
    for row in table.rows:
        shown.add_row(*row, style="red" if row[-1] == "missed" else None)
    _console.print(shown, "")


def _put_into_readme(text: str) -> None:
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(MARKS[0])
    readme.write_text(f"{before}{MARKS[0]}{text}{MARKS[1]}{rest.partition(MARKS[1])[2]}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
