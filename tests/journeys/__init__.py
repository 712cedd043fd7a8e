"""What people do, from beginning to end, on every storage."""
