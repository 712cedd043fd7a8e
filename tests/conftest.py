"""The run: what each of its processes loads, in which order tests go, and the marks that select among them.

`pytest -m quick` is the part that needs nothing but its own process.
"""

import gc
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import cluster
from tests.cluster import MISSING, ClusterFolder, folder_in_memory

NO_BROWSER = "no Chromium or Chrome with its chromedriver was found (apt-get install chromium chromium-driver)"

STORAGES = ("memory", "sqlite", "postgresql")

SLOW = {"sqlite", "postgresql", "process", "browser"}
"""What a quick test needs none of."""

EARLY = {"process", "browser", "long"}
"""What is waited for while other tests run."""

ROOM = 2**28
"""Bytes; a run takes less than a tenth of them."""

_FOLDER = pytest.StashKey[ClusterFolder]()


def pytest_configure(config: pytest.Config) -> None:
    """Spare this process, and those that it starts, what costs much and is of no use."""
    _keep_bytecode(config)
    _keep_files_in_memory()
    # Trio comes with Selenium, and brings a plugin that would import it.
    os.environ.setdefault("HYPOTHESIS_NO_PLUGINS", "1")
    # Until there are tests, there is no garbage to look for.
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Load the fixtures where tests run. The process that hands tests to the others starts in half the time without.

    They come this late because pytest-cov watches the others from here on, and what they import is to be covered.
    """
    if not session.config.pluginmanager.has_plugin("dsession"):
        session.config.pluginmanager.import_plugin("tests.fixtures")


def _keep_bytecode(config: pytest.Config) -> None:
    """Keep bytecode in pytest's cache if it may not lie beside the sources: each process would compile for 7 s.

    PYTHONDONTWRITEBYTECODE is common in images. What the run starts, its workers above all, inherits this.
    """
    if sys.dont_write_bytecode and config.pluginmanager.has_plugin("cacheprovider"):
        sys.pycache_prefix = str(config.cache.mkdir("bytecode"))
        sys.dont_write_bytecode = False
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _keep_files_in_memory() -> None:
    """Keep temporary files in memory, where there is room: a commit of SQLite waits a millisecond for a disk."""
    memory = folder_in_memory(ROOM)
    if memory is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with the storages that it needs, or as quick; begin with those that would be the run's tail."""
    if sys.platform != "linux":
        elsewhere = [item for item in items if item.get_closest_marker("linux")]
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]
    early: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        assert isinstance(item, pytest.Function)
        parameters = list(item.callspec.params.values()) if hasattr(item, "callspec") else []
        fixtures = {name.lstrip("_").partition("_")[0] for name in item.fixturenames}
        for storage in STORAGES:
            if storage in parameters or storage in fixtures:
                item.add_marker(storage)
        marks = {mark.name for mark in item.iter_markers()}
        if marks.isdisjoint(SLOW):
            item.add_marker("quick")
        (others if marks.isdisjoint(EARLY) else early).append(item)
    items[:] = early + others


def pytest_collection_finish() -> None:
    """Spare the garbage collector what is there when tests begin: it stays until they end."""
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)  # as a server does
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give all workers of pytest-xdist the same folder for a cluster."""
    node.workerinput["cluster_folder"] = str(cluster_folder(node.config))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the cluster: at the end, after an error and after Ctrl-C."""
    folder = config.stash.get(_FOLDER, None)
    if folder is not None:
        folder.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not tested: a database, or the pages."""
    skipped = sum(MISSING in str(report.longrepr) for report in terminalreporter.stats.get("skipped", ()))
    if skipped:
        terminalreporter.section("NOT TESTED ON POSTGRESQL", red=True, bold=True)
        terminalreporter.line(f"{skipped} tests were skipped: {MISSING}.", red=True, bold=True)
    skipped = sum(NO_BROWSER in str(report.longrepr) for report in terminalreporter.stats.get("skipped", ()))
    if skipped:
        terminalreporter.section("PAGES NOT TESTED IN A BROWSER", red=True, bold=True)
        terminalreporter.line(f"{skipped} tests were skipped: {NO_BROWSER}.", red=True, bold=True)


def cluster_folder(config: pytest.Config) -> Path:
    """Return the folder for the cluster of this run."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        return Path(worker["cluster_folder"])
    if _FOLDER not in config.stash:
        # To make a database for one test takes a quarter of the time there.
        config.stash[_FOLDER] = ClusterFolder(folder_in_memory(cluster.ROOM))
    return config.stash[_FOLDER].path
