"""What `trust.py` does to a store: one attack a file."""
