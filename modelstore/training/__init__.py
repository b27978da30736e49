"""Fine-tunes models stage by stage, and computes the features that proxies score."""
