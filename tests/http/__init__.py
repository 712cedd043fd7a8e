"""The API, through the application."""
