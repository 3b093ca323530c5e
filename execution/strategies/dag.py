"""MegaETH's scheduling: a graph of the block's state dependencies, run in topological order.

A transaction depends on the earlier ones that write a key it reads. Writes alone make nobody wait: each run keeps what
it wrote to itself until its turn, in order. The keys are those of the access list, or of the last executions of the
same function; a transaction that nothing is known of runs at once and is validated like any other.
"""

from collections.abc import Mapping, Sequence

from chain.records import AccessKind
from execution.accesses import Key
from execution.attempts import Waited
from execution.dependency_rule import DependencyRule, Expected


def dag() -> DependencyRule:
    return DependencyRule("dag", dependencies_by_key)


def dependencies_by_key(expected: Sequence[Expected]) -> Mapping[int, tuple[Waited, ...]]:
    """Who writes a key that a candidate reads."""
    writers: dict[Key, list[int]] = {}
    graph: dict[int, tuple[Waited, ...]] = {}
    for each in expected:
        waits = {writer: Waited(*key, writer) for key in each.accesses.reads for writer in writers.get(key, ())}
        graph[each.index] = tuple([waits[writer] for writer in sorted(waits)])
        for key in each.accesses.writes:
            if key[0] == AccessKind.BALANCE:
                writers.setdefault(key, []).append(each.index)  # differences: each counts
            else:
                writers[key] = [each.index]
    return graph
