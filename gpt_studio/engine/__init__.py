"""What does the work: torch, and never Qt."""

import os

# How long torch's threads spin before they sleep, said before torch is loaded. Little costs little on a
# quiet machine and keeps training alive beside other programs (docs/benchmarks.md).
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
