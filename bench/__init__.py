"""The benchmark: the same work by Strongroom, by its peers and by bare C, on the same data, in the same run.

    python -m bench --quick            a minute, small data
    python -m bench --markdown results.md --json results.json

    fetch     where the peers come from            rounds   who does what, when, on which data
    systems   Strongroom and peers behind one port  figures  what is read off a result
    bare      the machine without any of them      targets  what was promised, and whether it is kept
    meter     time, CPU and memory of a command    table    the one table, the machine, the verdict

Ratios are the result; seconds depend on the machine. `docs/benchmarks.md` says how it is done and what came out.
"""
