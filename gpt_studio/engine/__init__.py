"""What does the work: torch, and never Qt."""

import os

# Threads that wait for each other sleep instead of spinning. It must be said before torch is loaded.
# On two cores that other programs keep busy, spinning made training several times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
