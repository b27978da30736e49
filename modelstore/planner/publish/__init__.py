"""`PUBLISH MODEL` and `EXPORT MODEL`: registered models go to others."""
