"""Which module needs which: no two of them need each other, in whatever way they import."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp


def test_no_module_needs_itself() -> None:
    """A reader need not read what is built on a module; imports by type and within functions count."""
    graph = grimp.build_graph("ajpes_reporting", exclude_type_checking_imports=False, cache_dir=None)
    needed = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(needed).prepare()
    except CycleError as error:
        raise AssertionError(" needs ".join(reversed(error.args[1]))) from None
