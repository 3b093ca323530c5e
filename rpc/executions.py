"""tandem_getBlockExecution and tandem_getTransactionExecution: how a block was executed, and why so.

Counts, positions and microseconds are plain numbers; hashes, addresses, slots and values are hex.
"""

from chain.messages.storage import StoredBlock
from chain.records import AccessKind, AttemptRecord, AttemptResult, Conflict, Dependency, WaitRecord
from chain.types import Hash32
from rpc.block_execution import BlockExecution, ProposedTransaction, block_execution
from rpc.explanations import Explanation, explanation_of
from rpc.methods import Node, method
from rpc.naming.names import Names
from rpc.params import BlockReference, block_reference, hash32
from rpc.render import JsonObject, address_json, data_json, word_json

KINDS = {
    AccessKind.NONCE: "nonce",
    AccessKind.BALANCE: "balance",
    AccessKind.CODE: "code",
    AccessKind.SLOT: "slot",
    AccessKind.BALANCE_AT_LEAST: "balanceAtLeast",
    AccessKind.EMPTINESS: "emptiness",
    AccessKind.ACCOUNT: "account",
}
DEPENDENCIES = {Dependency.REAL: "real", Dependency.ARTEFACT: "artefact"}
RESULTS = {
    AttemptResult.ACCEPTED: "accepted",
    AttemptResult.CONFLICT: "conflict",
    AttemptResult.ABORTED: "aborted",
    AttemptResult.NOT_INCLUDABLE: "notIncludable",
    AttemptResult.PARENT_HASH_PENDING: "parentHashPending",
    AttemptResult.ENGINE_FAILED: "engineFailed",
    AttemptResult.WORKER_LOST: "workerLost",
    AttemptResult.TIMED_OUT: "timedOut",
}
SERIAL_TIMES = {True: "measured", False: "estimated"}
IN_EXECUTION = "execution"
"""The worker of what execution ran in its own process."""


@method("tandem_getBlockExecution", block_reference)
async def get_block_execution(node: Node, reference: BlockReference) -> JsonObject | None:
    """Null for a block that does not exist, and for genesis, which nothing executed."""
    block = await node.chain.block(reference, with_receipts=True)
    execution = None if block is None else await execution_of(node, block)
    if execution is None:
        return None
    return block_execution_json(execution, await explanation_of(node, execution))


@method("tandem_getTransactionExecution", hash32)
async def get_transaction_execution(node: Node, transaction_hash: Hash32) -> JsonObject | None:
    """In its block, or in the last one that left it out. Null for one that no block's proposal had (yet)."""
    stored = await node.chain.transaction(transaction_hash)
    number = node.chain.left_out_of(transaction_hash) if stored is None else stored.header.number
    block = None if number is None else await node.chain.block(number, with_receipts=True)
    execution = None if block is None else await execution_of(node, block)
    if execution is None:
        return None
    same = [each for each in execution.transactions if each.record.hash == transaction_hash]
    if not same:
        return None
    transaction = max(same, key=lambda each: each.index is not None)
    explanation = await explanation_of(node, execution)
    return {
        "blockNumber": execution.block.header.number,
        "blockHash": data_json(execution.block.hash),
        "strategy": execution.record.strategy,
        **transaction_json(execution, transaction, explanation.names),
    }


async def execution_of(node: Node, block: StoredBlock) -> BlockExecution | None:
    """None for genesis, and for a block that another has replaced while it was read."""
    record = await node.chain.record(block.header.number)
    if record is None or block.hashes != tuple(each.hash for each in record.transactions if each.left_out is None):
        return None
    return block_execution(block, record)


def block_execution_json(execution: BlockExecution, explanation: Explanation) -> JsonObject:
    record = execution.record
    return {
        "number": execution.block.header.number,
        "hash": data_json(execution.block.hash),
        "strategy": record.strategy,
        "workers": record.workers,
        "executionUs": record.execution_us,
        "threadUs": execution.thread_us,
        "serialUs": execution.serial_us,
        "serialTime": SERIAL_TIMES[execution.is_measured],
        "speedup": execution.speedup,
        "criticalPathUs": explanation.critical_path_us,
        "criticalPath": _positions(execution, explanation.critical_path),
        "attempts": execution.attempts,
        "conflicts": execution.conflicts,
        "serialFrom": None if record.serial_from < 0 else record.serial_from,
        "leftOut": execution.left_out,
        "transactions": [transaction_json(execution, each, explanation.names) for each in execution.transactions],
    }


def transaction_json(execution: BlockExecution, transaction: ProposedTransaction, names: Names) -> JsonObject:
    record, to = transaction.record, transaction.to
    return {
        "hash": data_json(record.hash),
        "position": transaction.position,
        "transactionIndex": transaction.index,
        "from": address_json(transaction.sender),
        "to": address_json(to),
        "contract": None if to is None else names.contract(to),
        "function": function_of(transaction, names),
        "gasUsed": record.gas_used,
        "leftOut": None if record.left_out is None else record.left_out.reason,
        "failure": None if transaction.failure is None else transaction.failure.value,
        "attempts": [_attempt_json(execution, run, names) for run in record.attempts],
        "waits": [_wait_json(execution, wait, names) for wait in record.waits],
    }


def function_of(transaction: ProposedTransaction, names: Names) -> str | None:
    """The function it called; None for a plain transfer, a creation, and one that nobody can name."""
    if transaction.to is None or not transaction.selector:
        return None
    return names.function(transaction.to, transaction.selector)


def _positions(execution: BlockExecution, places: tuple[int, ...] | None) -> list[int] | None:
    """Positions in the proposal of transactions at these places of the block."""
    if places is None:
        return None
    positions = {each.index: each.position for each in execution.transactions}
    return [positions[place] for place in places]


def _attempt_json(execution: BlockExecution, run: AttemptRecord, names: Names) -> JsonObject:
    return {
        "worker": run.worker or IN_EXECUTION,
        "startUs": run.start_us,
        "endUs": run.end_us,
        "threadUs": run.thread_us,
        "result": RESULTS[run.result],
        "conflict": None if run.conflict is None else _conflict_json(execution, run.conflict, names),
    }


def _conflict_json(execution: BlockExecution, conflict: Conflict, names: Names) -> JsonObject:
    shown = word_json if conflict.kind == AccessKind.CODE else hex
    return {
        **_key_json(conflict, names, conflict.seen, conflict.found),
        "read": shown(conflict.seen),
        "found": shown(conflict.found),
        "variables": _variables_json(conflict, names) if conflict.kind == AccessKind.SLOT else [],
        "writer": _other_json(execution, conflict.writer),
        "dependency": DEPENDENCIES[conflict.dependency],
    }


def _variables_json(conflict: Conflict, names: Names) -> list[JsonObject]:
    """What differed in the slot, variable by variable, where a layout says how they share it."""
    found = []
    for variable, (low, size) in names.places(conflict.address, conflict.slot).items():
        read, met = (value >> low & (1 << size) - 1 for value in (conflict.seen, conflict.found))
        if read != met:
            found.append({"variable": variable, "read": hex(read), "found": hex(met)})
    return found


def _wait_json(execution: BlockExecution, wait: WaitRecord, names: Names) -> JsonObject:
    return {
        **_key_json(wait, names, None, None),
        "for": _other_json(execution, wait.writer),
        "waitedUs": wait.waited_us,
        "dependency": DEPENDENCIES[wait.dependency],
    }


def _key_json(key: Conflict | WaitRecord, names: Names, before: int | None, after: int | None) -> JsonObject:
    is_slot = key.kind == AccessKind.SLOT
    return {
        "kind": KINDS[key.kind],
        "address": address_json(key.address),
        "contract": names.contract(key.address),
        "slot": word_json(key.slot) if is_slot else None,
        "variable": names.variable(key.address, key.slot, before, after) if is_slot else None,
    }


def _other_json(execution: BlockExecution, position: int) -> JsonObject | None:
    """Another transaction of the proposal; None for what the block's first system calls did."""
    if not 0 <= position < len(execution.transactions):
        return None
    return {"position": position, "hash": data_json(execution.transactions[position].record.hash)}
