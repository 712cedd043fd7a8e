"""What the domain says is true."""
