"""Settings, from every source."""
