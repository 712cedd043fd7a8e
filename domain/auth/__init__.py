"""Sessions, passwords and the errors of authentication."""
