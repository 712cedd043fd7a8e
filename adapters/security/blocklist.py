"""Passwords that many people have, from zxcvbn's list of them."""

import importlib.util
from collections.abc import Container
from functools import cache
from pathlib import Path


class ZxcvbnCommonPasswords(Container[str]):
    """The 30,000 most frequent passwords, in lower case: read when a process first asks, in some 20 ms, then a set.

    Of the package only the list is read. Its estimator takes 28 ms for 72 characters, which a stranger could make every
    request pay, and importing it whole would keep five more lists in memory.
    """

    def __contains__(self, password: object) -> bool:
        return password in _passwords()


@cache
def _passwords() -> frozenset[str]:
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
    return frozenset(module.FREQUENCY_LISTS["passwords"])
