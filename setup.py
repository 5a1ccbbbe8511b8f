"""Build the kernel: C compiled at install time behind a few Cython modules.

Everything else about the package is in pyproject.toml.
No machine-specific flag is used, so a wheel built here runs on every machine of the same architecture.
"""

import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

KERNEL = Path("src/strongroom/kernel")


def kernel(name: str, *sources: str, headers: tuple[str, ...], dialect: str = "c11") -> Extension:
    """Describe the module `name` of the kernel: its .pyx, and the C it calls."""
    return Extension(
        f"strongroom.kernel.{name}",
        sources=[str(KERNEL / file) for file in (f"{name}.pyx", *sources)],
        depends=[str(KERNEL / file) for file in headers],
        extra_compile_args=["-O3", f"-std={dialect}", "-Wall", "-Wextra"],
    )


modules = [
    kernel("native", "cut.c", "lookup.c", "sort.c", headers=("cut.h", "lookup.h", "sort.h")),
    kernel("digest", "blake3.c", headers=("blake3.h", "blake3_lanes.h"), dialect="gnu11"),
    kernel("merge", "rows.c", headers=("rows.h",)),
    kernel("join", "join_parts.c", headers=("join_parts.h",)),
]
if sys.platform == "linux":  # these make system calls of its own
    modules.append(kernel("walk", "look.c", "names.c", headers=("look.h", "msgpack.h")))
    tour = ("tour_folders.c", "pass_known.c", "look.c", "names.c", "blake3.c")
    tour_headers = ("tour.h", "look.h", "msgpack.h", "blake3.h", "blake3_lanes.h")
    modules.append(kernel("tour", *tour, headers=tour_headers, dialect="gnu11"))
    modules.append(kernel("place", "place_files.c", "write_direct.c", headers=("place_files.h", "write_direct.h")))
    modules.append(kernel("gather", "gather_files.c", headers=("gather_files.h",)))

setup(ext_modules=cythonize(modules, language_level=3))
