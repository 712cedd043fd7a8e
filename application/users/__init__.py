"""Accounts, for their owners and for administrators."""
