"""The logs of a run and, among them, value that moves: eth_simulateV1's (geth's internal/ethapi/logtracer.go)."""

from chain.receipts import Log
from chain.types import Address, Hash32
from execution.evm.stepping import CallKind, Entered, Left, Listener

TRANSFER_TOPIC = Hash32(bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"))
ETHER = Address(b"\xee" * 20)
"""The address that stands for ether among tokens (ERC-7528)."""
MOVES_NOTHING = frozenset((CallKind.DELEGATECALL, CallKind.CALLCODE))


class TransferLogs(Listener):
    """Keeps the logs of every open frame; those of a failed one go with it, and their numbers are not used again."""

    def __init__(self, first: int, *, tells_transfers: bool) -> None:
        self._tells_transfers = tells_transfers
        self._frames: list[list[tuple[int, Log]]] = []
        self.next = first
        self.logs: tuple[tuple[int, Log], ...] = ()

    def enter(self, entered: Entered) -> None:
        self._frames.append([])
        if self._tells_transfers and entered.value and entered.kind not in MOVES_NOTHING:
            topics = (TRANSFER_TOPIC, _word(entered.sender), _word(entered.to))
            self._add(Log(ETHER, topics, entered.value.to_bytes(32, "big")))

    def leave(self, left: Left) -> None:
        logs = [] if left.error else self._frames[-1]
        self._frames.pop()
        if self._frames:
            self._frames[-1] += logs
        else:
            self.logs = tuple(logs)

    def log(self, log: Log, index: int) -> None:
        self._add(log)

    def _add(self, log: Log) -> None:
        self._frames[-1].append((self.next, log))
        self.next += 1


def _word(address: Address) -> Hash32:
    return Hash32(bytes(12) + address)
