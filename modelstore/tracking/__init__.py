"""Experiment trackers: selections and benchmarks are logged to one as they go on, from a thread of its own."""

from modelstore.tracking.tracker import Tracker, tracker_at

__all__ = ["Tracker", "tracker_at"]
