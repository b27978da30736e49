"""The command line: scripts and an interactive prompt."""
