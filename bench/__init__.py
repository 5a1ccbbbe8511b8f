"""The benchmark: the same work by Strongroom and by its peers, on the same data, in the same run.

    python -m bench --quick            a minute or two, small data
    python -m bench --sets office,small,vm --json results.json

Ratios are the result; seconds depend on the machine. `docs/benchmarks.md` says how it is done and what came out.
"""
