"""Measures Portico against the limit: what the same machine does with the same parts and no framework."""
