"""One process at a time, for containers: they share a data folder and find each other by name."""

from dataclasses import replace
from pathlib import Path

from node import folder as data
from node.contracts_file import artifact_folders
from node.dask_scheduler import check_scheduler
from node.endpoints import NamedEndpoints
from node.errors import BadSetting
from node.genesis import first_block_hash
from node.output import Output, account_facts, account_lines
from node.plan import Kind, Plan, role_named
from node.roles import run_role
from node.settings import Settings
from node.up import listen


def initialise(settings: Settings) -> None:
    """`tandem init`. Raises BadDataFolder."""
    folder = data.create_or_open(_data_dir(settings), settings)
    facts = {
        "dataDir": str(folder.path),
        "genesis": "0x" + folder.genesis.id().hex(),
        "accounts": account_facts(folder),
    }
    lines = [*account_lines(folder), "", f"Genesis     0x{folder.genesis.id().hex()}"]
    if settings.genesis is not None:
        facts["firstBlock"] = "0x" + first_block_hash(folder.genesis).hex()
        lines.append(f"Block {folder.genesis.header.number:<6}{facts['firstBlock']}")
    text = "\n".join(lines)
    Output(json_lines=settings.json, quiet=settings.quiet).event("initialised", text, facts)


def run_one(name: str, settings: Settings) -> int:
    """`tandem run ROLE`: be that process; the exit status. Raises NodeError."""
    role = role_named(name)
    if settings.executors != 1 or role.executor != 0:
        raise BadSetting(
            "processes that are run one by one have one executor: several that check each other need tandem up, whose "
            "supervisor stops a wrong one and starts another"
        )
    folder = data.open_folder(_data_dir(settings), settings)
    if role.kind == Kind.VALIDATOR and role.index >= len(folder.genesis.validators):
        raise BadSetting(f"there is no {name}: this chain has {len(folder.genesis.validators)} validators, from 0")
    if role.kind == Kind.EXECUTION:
        check_scheduler(settings)
    artifacts = artifact_folders(settings.artifacts) if role.kind == Kind.RPC else ()
    settings = replace(settings, validators=len(folder.genesis.validators), artifacts=artifacts)
    listening = listen(settings.host, settings.port) if role.kind == Kind.RPC else None
    faults = str(folder.path / "faults")
    return run_role(Plan(settings, folder, NamedEndpoints(), listening, None, None, None, faults), name)


def _data_dir(settings: Settings) -> Path:
    if settings.data_dir is None:
        raise BadSetting("give the chain's folder: --data-dir DIR")
    return settings.data_dir
