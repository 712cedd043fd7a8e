"""What the container provides: one module per technology, one for the use cases."""
