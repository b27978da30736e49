"""Training: what a model directory holds, fine-tuning in stages, and the features that proxies score."""

import os

# OpenMP's threads wait for work by spinning, which is quick, and a disaster where other processes want the cores: two
# that trained small models side by side took seven times as long. With a shorter wait, read when torch is first
# loaded, it is less than twice, and what runs alone loses a tenth.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
