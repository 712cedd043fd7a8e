"""What holds for all of the code, read from the code."""
