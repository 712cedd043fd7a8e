"""Each sentence of each port, proved on every storage."""
