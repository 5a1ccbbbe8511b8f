"""Modules and functions stay short enough to be read: over the budget is said aloud, over the limit is red.

A function's docstring does not count: nobody shall write less of it to keep within a number.
"""

import ast
import warnings

from tests.house.source import functions, modules, place, tree, written_here

MODULE_BUDGET, MODULE_LIMIT = 300, 400
FUNCTION_BUDGET, FUNCTION_LIMIT = 40, 60
CODE = (".py", ".pyi", ".pyx", ".c", ".h")


def test_no_module_is_longer_than_the_limit():
    lengths = {place(path): len(path.read_text().splitlines()) for path in written_here(*CODE)}
    tell_who_is_over(lengths, MODULE_BUDGET)
    assert over(lengths, MODULE_LIMIT) == {}


def test_no_function_is_longer_than_the_limit():
    lengths = {f"{place(path, node)} {node.name}": length(node) for path in modules() for node in functions(tree(path))}
    tell_who_is_over(lengths, FUNCTION_BUDGET)
    assert over(lengths, FUNCTION_LIMIT) == {}


def length(function):
    lines = function.end_lineno - function.lineno + 1
    said = function.body[0] if ast.get_docstring(function) else None
    return lines - (said.end_lineno - said.lineno + 1 if said else 0)


def over(lengths, limit):
    return {name: length for name, length in lengths.items() if length > limit}


def tell_who_is_over(lengths, budget):
    for name, length in over(lengths, budget).items():
        warnings.warn(f"over the budget of {budget} lines: {name} has {length}", stacklevel=2)
