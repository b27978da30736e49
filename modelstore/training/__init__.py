"""Fine-tuning in stages, and the features that proxies score."""
