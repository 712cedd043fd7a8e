"""Items, the example of an owned resource."""
