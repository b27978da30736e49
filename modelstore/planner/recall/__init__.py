"""RECALL, and the recall step of SELECT BEST."""
