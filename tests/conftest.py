"""Every test runs with no display and no GPU, and torch on one thread."""

import os
import tempfile

from hypothesis import settings

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["GPT_STUDIO_HOME"] = tempfile.mkdtemp(prefix="gpt-studio-tests-")  # never a person's own folders
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # the same tests everywhere, unless a GPU is asked for
os.environ.setdefault("QT_LOGGING_RULES", "qt.qpa.fonts.warning=false")

# A deadline is a timed assertion: it fails when the machine is busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
