"""The `tandem` command."""

import io
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from chain.forks import CHAIN_FORKS
from consensus.registry import LEADER_SCHEDULES, RULE_SETS
from execution.strategies import STRATEGIES
from node.command_options import DEFAULTS, PATH, CommandGroup, Stake, config_option, for_running_chain, option
from node.compare_command import compare_command
from node.consensus_command import consensus
from node.errors import BadSetting, NodeError
from node.fault_commands import net, validator
from node.repair_command import repair
from node.replay_command import replay
from node.report_command import report
from node.settings import (
    DEFAULT_BASE_FEE,
    DEFAULT_CHAIN_ID,
    DEFAULT_GAS_LIMIT,
    DEFAULT_MNEMONIC,
    EVMS,
    FULL_HISTORY,
    Settings,
    block_time_from,
    history_from,
)
from node.state_commands import dump_command
from node.statetest_command import statetest
from node.traffic.command import traffic

VERSION = "0.1.0"
ROLES = ("storage", "execution", "rpc", "validator-0", "worker", "reader")
F = TypeVar("F", bound=Callable[..., Any])


class _Group(CommandGroup):
    """Commands in the order people need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [
            *("up", "status", "traffic", "report", "compare", "consensus", "net", "validator"),
            *("init", "import", "dump", "load", "run", "repair", "replay", "statetest", "completion"),
        ]


_CHAIN_OPTIONS = [
    config_option,
    option("--port", type=int, default=DEFAULTS.port, help="Port for JSON-RPC and WebSocket; 0 takes a free one."),
    option("--host", default=DEFAULTS.host, help="Address to listen on."),
    option("--chain-id", type=int, help=f"Chain id.  [default: {DEFAULT_CHAIN_ID}, or the remote chain's]"),
    option(
        "--validators",
        type=int,
        help=f"How many validators order blocks.  [default: {DEFAULTS.validators}, or as many as --stake has numbers]",
    ),
    option("--consensus", type=click.Choice(list(RULE_SETS)), default=DEFAULTS.consensus, help="Rules of consensus."),
    option("--stake", type=Stake(), help="Validators' weights in quorums, such as 40,30,20,10.  [default: 1 each]"),
    option(
        "--leaders",
        type=click.Choice(list(LEADER_SCHEDULES)),
        default=DEFAULTS.leaders,
        help="Who proposes: in proportion to stake, or each in turn.",
    ),
    option(
        "--executors",
        type=int,
        default=DEFAULTS.executors,
        help="How many full executors run every block and check each other.",
    ),
    option("--workers", type=int, default=DEFAULTS.workers, help="Worker processes of each executor."),
    option("--pool", default=DEFAULTS.pool, help="local: --workers; dask://HOST:PORT: the workers of a Dask cluster."),
    option(
        "--block-time", default="auto", help="auto: blocks when there is work; 400ms, 2s: also at least that often."
    ),
    option("--data-dir", type=PATH, help="Folder that keeps the chain; else a temporary one."),
    option("--genesis", type=PATH, help="A genesis.json of geth: the chain's first state and its forks."),
    option("--accounts", type=int, default=DEFAULTS.accounts, help="How many development accounts."),
    option("--balance", type=int, default=DEFAULTS.balance, help="ETH of each development account."),
    option("--mnemonic", default=DEFAULT_MNEMONIC, help="BIP-39 words the accounts come from.", show_default=False),
    option(
        "--gas-limit",
        type=int,
        help=f"Gas limit of a block.  [default: {DEFAULT_GAS_LIMIT}, or the remote chain's]",
    ),
    option("--base-fee", type=int, help=f"Base fee of genesis, in wei.  [default: {DEFAULT_BASE_FEE}]"),
    option("--fork-url", help="JSON-RPC server of a remote chain to go on from, whose state is read as it is needed."),
    option("--fork-block", type=int, help="Block of the remote chain to go on from.  [default: its newest]"),
    option(
        "--hardfork",
        type=click.Choice([fork.label for fork in CHAIN_FORKS]),
        default=DEFAULTS.hardfork,
        help="Ethereum rules.",
    ),
    option("--strategy", type=click.Choice(STRATEGIES), default=DEFAULTS.strategy, help="How blocks are scheduled."),
    option(
        "--evm", type=click.Choice(EVMS), default=DEFAULTS.evm, help="Compile bytecode that is run often, or do not."
    ),
    option("--max-lag", type=int, default=DEFAULTS.max_lag, help="Blocks execution may be behind consensus."),
    option("--history", default=FULL_HISTORY, help="full, or of how many blocks before the newest the state is kept."),
    option(
        "--dev-api/--no-dev-api",
        default=DEFAULTS.dev_api,
        help="evm_*, anvil_* and hardhat_* methods that change the chain.",
    ),
    option(
        "--console-log/--no-console-log",
        default=DEFAULTS.console_log,
        help="Print what contracts log by console.log.",
    ),
    option("--check-serial", is_flag=True, help="Run every block serially too, and stop on a difference."),
    option(
        "--artifacts",
        type=PATH,
        multiple=True,
        show_default=False,
        help="Folder that Foundry (out) or Hardhat (artifacts) writes to; repeat it for several.",
    ),
    option(
        "--allow-host",
        metavar="NAME",
        multiple=True,
        show_default=False,
        help="Name that requests may use for this node, besides addresses and private names; repeat it, or give *.",
    ),
    option(
        "--allow-origin",
        metavar="URL",
        multiple=True,
        default=DEFAULTS.allow_origin,
        help="Site whose pages may use the node, such as http://localhost:3000; repeat it, or give * for all.",
    ),
    option("--load-state", type=PATH, help="State file of tandem dump or anvil that a new chain begins with."),
    option("--dump-state", type=PATH, help="File to write the state to when the chain ends."),
    option("--state", type=PATH, help="Both: a state file to begin with if it is there, and to write at the end."),
    option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default=DEFAULTS.log_level,
        help="How much the processes say on standard error.",
    ),
    option("--json", is_flag=True, help="Print one JSON object a line."),
    option("--quiet", is_flag=True, help="Print only what is wrong."),
]


def _chain_options(command: F) -> F:
    for declare in reversed(_CHAIN_OPTIONS):
        command = declare(command)
    return command


def _settings(options: dict[str, Any]) -> Settings:
    """Settings from the options. Raises BadSetting."""
    values = dict(options)
    values["block_time_ms"] = block_time_from(values.pop("block_time"))
    values["history"] = history_from(values["history"])
    values["stake"] = values["stake"] or ()
    if values["validators"] is None:
        values["validators"] = len(values["stake"]) or DEFAULTS.validators
    state = values.pop("state")
    if state is not None:
        if values["load_state"] or values["dump_state"] or values["data_dir"]:
            raise BadSetting("--state goes with none of --load-state, --dump-state and --data-dir: leave those out")
        values["load_state"], values["dump_state"] = (state if state.exists() else None), state
    return Settings(**values).checked()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, prog_name="tandem")
def cli() -> None:
    """Tandem: a local Ethereum devnet that works the way the parallel EVM chains do.

    Every option of `tandem up` can also stand in tandem.toml (chain-id = 31337) or in the environment
    (TANDEM_CHAIN_ID=31337); the command line comes first, then the environment, then the file.
    """


@cli.command(short_help="Start the chain here, and end it with Ctrl-C.")
@_chain_options
def up(**options: Any) -> None:
    """Start the chain here, and end it with Ctrl-C.

    Every option can also stand in tandem.toml (block-time = "400ms") or in the environment (TANDEM_BLOCK_TIME=400ms).
    """
    from node.up import up as start

    sys.exit(start(_settings(options)))


@cli.command(short_help="Make or check a chain's data folder.")
@_chain_options
def init(**options: Any) -> None:
    """Make a new chain's data folder, or check the one there is, without starting anything."""
    from node.containers import initialise

    initialise(_settings(options))


@cli.command("import", short_help="Execute another client's blocks, as the beginning of a chain.")
@click.argument("file", type=PATH)
@_chain_options
def import_(file: Path, **options: Any) -> None:
    """Execute the blocks in FILE, which another client made, and keep them as the beginning of a chain.

    FILE holds blocks in RLP, one after the other, as geth's `export` writes them (also packed with gzip). Each runs
    under the fork of its number and time; one that does not follow, or comes out otherwise than its header says, is
    refused, and those before it stay. The data folder is made first if it is not there, from --genesis. Afterwards
    `tandem up` with the same --data-dir goes on after the newest imported block.
    """
    from node.import_command import import_chain

    import_chain(file, _settings(options))


@cli.command("load", short_help="Make a chain's data folder from a state file.")
@click.argument("file", type=PATH)
@_chain_options
def load_command(file: Path, **options: Any) -> None:
    """Make a new data folder whose chain begins with the state in FILE, which tandem dump or anvil wrote.

    Number and time go on from the file's block. The folder is checked against the file's state root.
    """
    from node.state_commands import load

    load(file, _settings(options))


@cli.command(short_help="Run one process of a chain, as in docker compose.")
@click.argument("role", shell_complete=lambda *_: list(ROLES))
@_chain_options
def run(role: str, **options: Any) -> None:
    """Run one process of a chain whose processes reach each other by name over TCP, as in docker compose.

    ROLE is storage, execution, rpc, validator-N, worker or reader. The data folder must have been made by
    `tandem init`.
    """
    from node.containers import run_one

    sys.exit(run_one(role, _settings(options)))


@cli.command(short_help="Show a running chain.")
@for_running_chain
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(url: str, as_json: bool) -> None:
    """Show a running chain: processes, heights, validators, mempool, queues, and what is broken on purpose."""
    from node.status import show_status

    show_status(url, as_json)


cli.add_command(dump_command)
cli.add_command(consensus)
cli.add_command(compare_command)
cli.add_command(traffic)
cli.add_command(net)
cli.add_command(report)
cli.add_command(validator)
cli.add_command(repair)
cli.add_command(replay)
cli.add_command(statetest)


@cli.command(short_help="Print the completion script for your shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for your shell, for example: eval "$(tandem completion bash)".

    It completes `tandem`, which must be on the PATH: scripts/tandem, or .venv/bin/tandem.
    """
    from click.shell_completion import get_completion_class

    completer = get_completion_class(shell)
    assert completer is not None
    click.echo(completer(cli, {}, "tandem", "_TANDEM_COMPLETE").source())


def main() -> None:
    """Runs the command; what is wrong with what the user asked for is one line and an exit status, no traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files and of tests can be anything
    try:
        sys.exit(cli.main(prog_name="tandem", standalone_mode=False))  # the status that a command gave to ctx.exit
    except NodeError as error:
        click.echo(f"tandem: {error}", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        command = "tandem" if context is None else context.command_path
        click.echo(f"tandem: {error.format_message().rstrip('.')}: see {command} --help", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
