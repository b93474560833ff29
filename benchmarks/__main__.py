"""``make bench``: every benchmark, one after the other."""

from benchmarks import orchestration, pairs, precision

for benchmark in (precision, orchestration, pairs):
    benchmark.main()
    print()
