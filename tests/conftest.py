"""Every test runs with no display and torch on one thread."""

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("QT_LOGGING_RULES", "qt.qpa.fonts.warning=false")
