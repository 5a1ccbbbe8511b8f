"""Memory that is freed stays with the process."""

import subprocess
import sys

SCRIPT = """
import resource
from strongroom.server.app.memory import keep_freed_memory
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
