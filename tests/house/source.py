"""What the house tests look at: the tracked files, and the package's source as syntax trees."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "strongroom"


@cache
def tracked_files():
    """Name every file that belongs to the project, new ones too; git decides, whoever owns the clone."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def written_here(*suffixes):
    """Give the package's files of these kinds, without migrations, which Django writes."""
    return [
        path
        for path in tracked_files()
        if path.is_relative_to(PACKAGE) and path.suffix in suffixes and path.parent.name != "migrations"
    ]


def modules():
    return written_here(".py")


@cache
def tree(path):
    return ast.parse(path.read_text(), filename=str(path))


def place(path, node=None):
    line = f":{node.lineno}" if node else ""
    return f"{path.relative_to(ROOT)}{line}"


def functions(root):
    return [node for node in ast.walk(root) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def classes(root):
    return [node for node in ast.walk(root) if isinstance(node, ast.ClassDef)]


def is_public(node):
    return not node.name.startswith("_")
