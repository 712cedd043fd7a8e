"""What can be done: one callable per use case, and the ports it needs. Standard library and domain only."""
