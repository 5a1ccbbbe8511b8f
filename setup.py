"""Build the kernel: C compiled at install time behind one Cython module.

Everything else about the package is in pyproject.toml.
No machine-specific flag is used, so a wheel built here runs on every machine of the same architecture.
"""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

KERNEL = Path("src/strongroom/kernel")

native = Extension(
    "strongroom.kernel.native",
    sources=[str(KERNEL / name) for name in ("native.pyx", "cut.c", "lookup.c", "sort.c")],
    depends=[str(KERNEL / name) for name in ("cut.h", "lookup.h", "sort.h")],
    extra_compile_args=["-O3", "-std=c11", "-Wall", "-Wextra"],
)

digest = Extension(
    "strongroom.kernel.digest",
    sources=[str(KERNEL / name) for name in ("digest.pyx", "blake3.c")],
    depends=[str(KERNEL / name) for name in ("blake3.h", "blake3_lanes.h")],
    extra_compile_args=["-O3", "-std=gnu11", "-Wall", "-Wextra"],
)

merge = Extension(
    "strongroom.kernel.merge",
    sources=[str(KERNEL / name) for name in ("merge.pyx", "rows.c")],
    depends=[str(KERNEL / name) for name in ("rows.h",)],
    extra_compile_args=["-O3", "-std=c11", "-Wall", "-Wextra"],
)

setup(ext_modules=cythonize([native, digest, merge], language_level=3))
