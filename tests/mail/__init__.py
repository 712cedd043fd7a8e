"""Mail: delivering it, and the worker that does."""
