"""What becomes of figures; measuring itself is for `python -m tests.bench`."""

from xml.etree import ElementTree as ET

import pytest

from tests.bench.databases import SPREAD, Data, an_id
from tests.bench.drawing import drawing
from tests.bench.load import Chain, Script
from tests.bench.report import Results, Sample, Table, Target, tables, targets

RESULTS = Results(
    [
        Sample("item", "limit", {"cpu": 100, "rate": 10_000, "p50": 1, "p99": 2, "database": 10, "errors": 0}),
        *(
            Sample("item", "postgresql", {"cpu": cpu, "rate": 1_000, "p50": 10, "p99": 20, "database": 10, "errors": 0})
            for cpu in (900, 200, 250)
        ),
        *(
            Sample(name, "sqlite", {"cpu": cpu, "rate": 1, "p50": cpu, "p99": 3, "database": 0})
            for name, cpu in (("page 1", 100), ("page 1,000", 115), ("page of 10,000", 100), ("page of 1,000,000", 300))
        ),
    ]
)


def reached(results: Results) -> dict[str, Target]:
    return {target.name: target for target in targets(results)}


def test_takes_the_median_of_all_rounds() -> None:
    assert RESULTS.get("item", "postgresql", "cpu") == 250
    assert RESULTS.get("item", "sqlite", "cpu") is None
    assert RESULTS.workloads("page of") == ["page of 10,000", "page of 1,000,000"]


def test_judges_what_was_measured_and_nothing_else() -> None:
    found = reached(RESULTS)

    assert {name: (target.reached, target.verdict) for name, target in found.items()} == {
        "item: CPU, of the limit's": (2.5, "aim met"),
        "page 1,000: CPU of both cores, of page 1's, sqlite": (1.15, "met"),
        "page of 1,000,000: CPU of both cores, of page of 10,000's, sqlite": (3, "missed"),
        "errors": (0, "met"),
    }


def test_an_error_is_a_miss() -> None:
    failed = Results([Sample("item", "limit", {"errors": 1})])

    assert reached(failed)["errors"].verdict == "missed"


def test_tables_have_a_line_for_each_workload() -> None:
    loads, verdicts = tables(RESULTS, list(targets(RESULTS)))

    assert loads.rows[0][:7] == ["item", "100", "250", "2.5", "–", "10", "10,000"]
    assert [row[0] for row in loads.rows][1:] == ["page 1", "page 1,000", "page of 10,000", "page of 1,000,000"]
    assert len(verdicts.rows) == 4
    assert Table(["", "a"], [["b", "1"]]).markdown() == "|  | a |\n| --- | --: |\n| b | 1 |\n"


def test_draws_a_curve_for_each_subject() -> None:
    texts = [text.text for text in ET.fromstring(drawing(RESULTS)).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314

    assert "page, sqlite" in texts
    assert "item, sqlite" not in texts


def test_draws_nothing_of_nothing() -> None:
    assert drawing(Results([])).count("<polyline") == 0


@pytest.mark.parametrize("data", [Data(2_000), SPREAD], ids=str)
def test_few_items_have_a_word_in_common(data: Data) -> None:
    word = data.word(7)

    assert sum(word in data.texts(number)[1] for number in range(data.items)) == 20


def test_the_first_user_owns_what_is_read() -> None:
    data = Data(2_000, is_spread=True)
    (items,) = [rows for table, _, rows in data.tables() if table == "items"]

    owned = [row[0] for row in items if row[1] == an_id(0)]

    assert owned == [data.of_first_user(at) for at in range(20)]
    assert owned == sorted(owned)


def test_a_script_says_it_in_lua() -> None:
    chain = Chain("PATCH @1@\r\n", '{"a": "b"}', "^(%d)", [["1", "2"]])

    text = Script(["item", "patch"], {"item": ["GET /"]}, {"patch": chain}).text(stop_after=5)

    assert 'schedule = {"item", "patch"}\n' in text
    assert '["links"] = {{"1", "2"}}, ["takes_all"] = false' in text
    assert "stop_after = 5\n" in text
