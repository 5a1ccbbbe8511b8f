"""Everything public says what it is, and says it once.

A port carries the contract of its methods, so a method that fulfils one need not repeat it.
"""

import ast

from tests.house.source import classes, functions, is_public, modules, place, tree, written_here

SAID_ELSEWHERE = ("override", "overload", "setter")
FRAMEWORK_CLASSES = ("Meta", "Config")


def test_every_module_says_what_it_is():
    silent = [place(path) for path in written_here(".py", ".pyi") if not ast.get_docstring(tree(path))]
    assert silent == []


def test_every_public_class_says_what_it_is():
    silent = [
        f"{place(path, node)} {node.name}"
        for path in modules()
        for node in classes(tree(path))
        if is_public(node) and node.name not in FRAMEWORK_CLASSES and not ast.get_docstring(node)
    ]
    assert silent == []


def test_every_public_function_says_what_it_does():
    silent = [
        f"{place(path, node)} {node.name}"
        for path in modules()
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and is_public(node) and not is_said(node)
    ]
    assert silent == []


def test_every_public_method_says_what_it_does_or_fulfils_a_port():
    ports = set(port_methods())
    silent = [
        f"{place(path, method)} {owner.name}.{method.name}"
        for path in modules()
        for owner in classes(tree(path))
        if is_public(owner)
        for method in owner.body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and is_public(method)
        if not is_said(method) and (method.name not in ports or is_port(owner))
    ]
    assert silent == []


def is_said(node):
    marks = {mark.attr if isinstance(mark, ast.Attribute) else getattr(mark, "id", "") for mark in node.decorator_list}
    return bool(ast.get_docstring(node)) or bool(marks & set(SAID_ELSEWHERE))


def is_port(owner):
    return any("Protocol" in ast.unparse(base) or ast.unparse(base) == "ABC" for base in owner.bases)


def port_methods():
    for path in modules():
        for owner in filter(is_port, classes(tree(path))):
            yield from (method.name for method in functions(owner) if ast.get_docstring(method))
