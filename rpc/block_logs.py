"""The logs of one block that match."""

from chain.messages.logs import FoundLog
from chain.messages.storage import StoredBlock
from rpc.log_filter import LogCriteria, matches
from rpc.render import found_log, place_in


def logs_in(block: StoredBlock, wanted: LogCriteria) -> list[FoundLog]:
    """Of a block that was read with its receipts."""
    found: list[FoundLog] = []
    first_log = 0
    for index, receipt in enumerate(block.receipts):
        for log_index, log in enumerate(receipt.logs, first_log):
            if matches(log, wanted):
                found.append(found_log(log, place_in(block, index), block.hashes[index], log_index))
        first_log += len(receipt.logs)
    return found
