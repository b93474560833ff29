"""``make bench``: every benchmark, one after the other."""

from benchmarks import orchestration, precision

for benchmark in (precision, orchestration):
    benchmark.main()
    print()
