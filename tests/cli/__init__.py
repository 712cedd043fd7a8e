"""The command line, in this process where that proves enough, and as processes of its own where it does not."""
