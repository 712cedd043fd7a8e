"""The shape of the code, which no reviewer needs to watch."""
