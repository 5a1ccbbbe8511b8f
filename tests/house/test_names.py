"""Names say what a thing is: no drawers for leftovers, no empty verbs, and nothing of the machine it was written on."""

import ast
import re

from tests.house.source import PACKAGE, classes, modules, place, tracked_files, tree

DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "manager", "managers", "legacy"}
EMPTY_CLASS = re.compile(r"(Service|Manager|Handler|Helper|Util|Utils)$")
EMPTY_VERB = re.compile(r"(get|do|handle|process)_")
# The checkout's own place, and hidden folders of users; put together here, for this file may not hold them either.
MACHINE = re.compile("|".join((re.escape(f"{PACKAGE.parents[1]}/"), r"/home/" + r"[a-z]+/\.", r"/root/" + r"\.")))


def test_no_module_is_a_drawer_for_leftovers():
    assert [place(path) for path in modules() if DRAWERS & {path.stem, *path.relative_to(PACKAGE).parts}] == []


def test_no_class_is_named_for_a_pattern():
    named = [
        f"{place(path, node)} {node.name}"
        for path in modules()
        for node in classes(tree(path))
        if EMPTY_CLASS.search(node.name) and not node.bases
    ]
    assert named == []


def test_no_function_of_ours_has_an_empty_verb():
    """A class with a base may have to answer to names that others chose."""
    empty = []
    for path in modules():
        ours = [tree(path), *(node for node in classes(tree(path)) if not node.bases)]
        for owner in ours:
            empty += [
                f"{place(path, node)} {node.name}"
                for node in owner.body
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and EMPTY_VERB.match(node.name)
            ]
    assert empty == []


def test_no_file_names_a_place_on_one_machine():
    found = []
    for path in tracked_files():
        text = path.read_bytes().decode(errors="replace")
        found += [f"{place(path)}: {match.group()}" for match in MACHINE.finditer(text)]
    assert found == []
