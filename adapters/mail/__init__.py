"""Mail: writing letters, and handing them over."""
