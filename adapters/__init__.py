"""Promises kept: one package per technology, one module per feature. They know no web framework and no container."""
