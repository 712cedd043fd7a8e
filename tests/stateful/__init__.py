"""Random histories against a small model of what must be so."""
