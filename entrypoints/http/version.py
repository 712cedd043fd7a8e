"""Which Portico this is."""

from importlib.metadata import version

VERSION = version("portico")
