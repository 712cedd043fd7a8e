"""What is true: entities, values and rules. Standard library only; synchronous; asks nobody for anything."""
