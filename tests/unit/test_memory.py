"""Memory that is freed stays with the process until it is given back."""

import subprocess
import sys

SCRIPT = """
import resource
from strongroom.memory import keep_freed_memory
keep_freed_memory()
def faults():
    bytes(8 << 20), bytes(8 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        b"".join([b"x" * (1 << 20)] * 8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


def test_what_was_freed_is_not_asked_of_the_kernel_again():
    answer = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert int(answer.stdout) < 2048  # once anew would be 2048 pages, each time anew 40 960


GIVEN_BACK = """
import os
from strongroom.memory import give_back, keep_freed_memory
keep_freed_memory()
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")
pieces = [b"x" * (1 << 20) for _ in range(64)]
del pieces
kept = resident()
give_back()
print(kept - resident())
"""


def test_when_the_work_is_done_it_is_given_back():
    answer = subprocess.run([sys.executable, "-c", GIVEN_BACK], capture_output=True, text=True, check=True)
    assert int(answer.stdout) > 48 << 20


SELDOM = """
import gc
from strongroom.memory import collect_seldom
collect_seldom()
rounds = gc.get_stats()[0]["collections"]
kept = [[] for _ in range(40_000)]
print(gc.get_freeze_count() > 1000, gc.get_stats()[0]["collections"] - rounds)
kept += [[] for _ in range(40_000)]
print(gc.get_stats()[0]["collections"] - rounds)
"""


def test_cycles_are_looked_for_seldom_but_they_are():
    answer = subprocess.run([sys.executable, "-c", SELDOM], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["True", "0", "1"]
