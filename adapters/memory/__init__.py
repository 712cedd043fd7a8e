"""Storage in this process only, honest enough to develop and test against."""
