"""Passwords that many people have, from zxcvbn's list of them."""

import importlib.util
from array import array
from bisect import bisect_left
from collections.abc import Collection, Container
from functools import cache
from itertools import accumulate
from pathlib import Path


class ZxcvbnCommonPasswords(Container[str]):
    """The 30,000 most frequent passwords, in lower case: read when a process first asks, in some 20 ms.

    Of the package only the list is read. Its estimator takes 28 ms for 72 characters, which a stranger could make every
    request pay, and importing it whole would keep five more lists in memory.
    """

    def __contains__(self, password: object) -> bool:
        return password in _passwords()


class _Words(Container[str]):
    """Words in order, in one text, a third of a MB for these: a set would take 3.5 MB of every process."""

    def __init__(self, words: Collection[str]) -> None:
        ordered = sorted(words)
        self._text = "".join(ordered)
        self._starts = array("I", accumulate(map(len, ordered), initial=0))

    def __contains__(self, word: object) -> bool:
        if not isinstance(word, str):
            return False
        place = bisect_left(self, word)
        return place < len(self) and self[place] == word

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, index: int) -> str:
        return self._text[self._starts[index] : self._starts[index + 1]]


@cache
def _passwords() -> _Words:
    package = importlib.util.find_spec("zxcvbn")
    assert package is not None
    assert package.origin is not None
    spec = importlib.util.spec_from_file_location(
        "zxcvbn_frequency_lists", Path(package.origin).with_name("frequency_lists.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return _Words(module.FREQUENCY_LISTS["passwords"])
