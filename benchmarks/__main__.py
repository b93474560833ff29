"""``make bench``: every benchmark, one after the other."""

from benchmarks.precision import main

main()
