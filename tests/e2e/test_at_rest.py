"""A chain with nothing to do wakes for nothing, and is small."""

import contextlib
import os
import threading
from pathlib import Path

from tests.e2e.chain_process import ChainProcess, chain, group_members, wait_until

WATCHED_S = 10.0
MOST_CPU_S = 0.01 * WATCHED_S
"""One hundredth of a core."""
MOST_PSS_KB = 500_000
TRIES = 2
"""On a busy machine the last work may not be over when the first of them begins."""


def settled(running: ChainProcess) -> None:
    """A transaction, and consensus has verified its block and fallen silent."""
    with contextlib.closing(running.rpc()) as rpc:
        one, two = rpc.call("eth_accounts")[:2]
        rpc.call("eth_sendTransaction", {"from": one, "to": two, "value": "0x1"})
        wait_until(lambda: rpc.call("tandem_status")["heights"]["verified"] == 1, "block 1 is verified")


def cpu_s(pid: int) -> float:
    """What the process has used, in user mode and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_kb(pid: int) -> int:
    """Its memory, with its share of what it shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def test_at_rest_all_processes_use_less_than_a_hundredth_of_a_core_and_500_mb() -> None:
    with chain() as running:
        settled(running)
        pids = group_members(running.process.pid)
        assert len(pids) >= 12, "the supervisor, its fork servers and the chain's processes"
        for _ in range(TRIES):
            before = {pid: cpu_s(pid) for pid in pids}
            threading.Event().wait(WATCHED_S)  # rest is the subject here
            used = {pid: round(cpu_s(pid) - before[pid], 2) for pid in pids}
            if sum(used.values()) < MOST_CPU_S:
                break
        assert sum(used.values()) < MOST_CPU_S, used
        memory = {pid: pss_kb(pid) for pid in pids}
        assert sum(memory.values()) < MOST_PSS_KB, memory
