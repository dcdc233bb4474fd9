"""Side by side with dvc and with the least the machine could do it in: ratios of one run, never absolute times.

Start it with `tests/bench/run.py`. It is no part of the test run; `tests/test_bench.py` only proves that it works.
"""
