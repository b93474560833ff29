"""What holds for all tests."""

import os

# Before torch is imported, here and in child processes: with a Prefect server beside, two threads
# that wait for each other in every layer are many times slower than one that waits for nobody.
os.environ.setdefault("OMP_NUM_THREADS", "1")
