"""Training: what a model directory holds, fine-tuning in stages, and the features that proxies score."""
