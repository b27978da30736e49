"""What people bring: models and datasets read from folders, files and the hub, and prepared for training."""
