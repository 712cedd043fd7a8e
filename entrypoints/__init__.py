"""Turns the outside into calls: HTTP, the command line, settings, and the one container where everything meets."""
