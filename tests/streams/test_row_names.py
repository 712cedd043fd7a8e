"""Names of rows."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.row_names import row_names

pytestmark = pytest.mark.sqlite

said = st.lists(st.sampled_from([b"milk", b"bread", b"beer", b""]), max_size=12)


def names_of(rows: Sequence[bytes]) -> list[bytes]:
    with row_names() as names:
        return [names.name(row) for row in rows]


def test_the_same_row_has_another_name_each_time_it_is_there() -> None:
    assert len(set(names_of([b"milk", b"milk", b"bread", b"milk"]))) == 4


def test_each_file_begins_anew() -> None:
    assert names_of([b"milk", b"milk"]) == names_of([b"milk", b"milk"])


@given(rows=said, added=said, data=st.data())
def test_names_stay_whatever_is_added_and_in_whatever_order(
    rows: list[bytes], added: list[bytes], data: st.DataObject
) -> None:
    longer = data.draw(st.permutations(rows + added))

    before, after = names_of(rows), names_of(longer)

    assert set(before) <= set(after)
    assert len(set(after)) == len(longer)
