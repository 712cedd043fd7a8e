"""Rows in files of any size: read and written piece by piece, whatever the rows are about."""
