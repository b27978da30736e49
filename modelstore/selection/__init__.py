"""Fine selection: train the recalled models in stages, predict how each will end, and drop the losers."""
