"""What all tests share."""

from __future__ import annotations

import os

# The matrices of tests are small; a second BLAS thread only waits, most of all on a busy machine.
# Set before NumPy is first imported; a value from outside wins.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
