"""Workers on a Ray cluster: actors in the place of this machine's processes, with the same messages."""
