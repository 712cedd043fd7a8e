"""What adapters do that no port promises."""
