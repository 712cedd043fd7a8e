"""The account pages: what is served, and what a browser does with it."""
