"""What Portico promises, proved."""
