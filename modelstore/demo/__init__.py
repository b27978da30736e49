"""The demonstration: small pretrained models and tasks, built offline, and a script that selects among them."""
