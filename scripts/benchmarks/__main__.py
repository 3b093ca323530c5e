"""The command line: `scripts/bench rpc`, `consensus`, `faults`, `evm`, `execution`, `scaling` and `storage`."""

import click

from scripts.benchmarks.consensus_commands import consensus, faults
from scripts.benchmarks.execution_commands import evm, execution, scaling
from scripts.benchmarks.rpc_command import rpc
from scripts.benchmarks.storage_command import storage


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    commands=[rpc, consensus, faults, evm, execution, scaling, storage],
)
def main() -> None:
    """Measure a chain."""


if __name__ == "__main__":
    main(prog_name="scripts/bench")
