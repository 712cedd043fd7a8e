"""What can be done, in memory."""
