"""What `tandem import` takes in, and where."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chain.codec import encode_value
from chain.types import Hash32
from node import folder as data
from node.errors import BadDataFolder, BadSetting
from node.import_command import import_chain
from node.settings import Settings
from tests.conformance.rpc_exchanges import CHAIN, GENESIS


def chain_with(folder: Path, **changes: object) -> Path:
    """A chain whose genesis has these fields."""
    genesis = replace(data.create_or_open(folder, Settings(genesis=GENESIS)).genesis, **changes)  # type: ignore[arg-type]
    about = json.loads((folder / "chain.json").read_text()) | {"genesis": "0x" + genesis.id().hex()}
    (folder / "chain.json").write_text(json.dumps(about))
    (folder / "genesis").write_bytes(encode_value(genesis))
    return folder


def test_blocks_do_not_stand_on_a_loaded_state(tmp_path: Path) -> None:
    folder = chain_with(tmp_path, state=Hash32(bytes(32)))
    with pytest.raises(BadDataFolder, match="begins with a state that is not its genesis file's"):
        import_chain(CHAIN, Settings(data_dir=folder, quiet=True))


def test_a_folder_that_another_command_holds_is_left_alone(tmp_path: Path) -> None:
    with data.lock(tmp_path), pytest.raises(BadDataFolder, match=f"another Tandem runs in {tmp_path}"):
        import_chain(CHAIN, Settings(data_dir=tmp_path, genesis=GENESIS))


def test_an_import_that_was_cut_off_leaves_nothing_in_the_way(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data.create_or_open(tmp_path, Settings(genesis=GENESIS))
    for name in ("imported.partial", "imported-54"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "CURRENT").write_bytes(b"damaged")
    import_chain(CHAIN, Settings(data_dir=tmp_path, json=True))
    assert json.loads(capfd.readouterr().out)["head"]["number"] == 54
    assert [path.name for path in tmp_path.glob("imported*")] == ["imported-54"]
    import_chain(CHAIN, Settings(data_dir=tmp_path, json=True))
    assert json.loads(capfd.readouterr().out)["blocks"] == 0


def test_without_a_folder_there_is_nowhere_to_put_them() -> None:
    with pytest.raises(BadSetting, match="--data-dir DIR"):
        import_chain(CHAIN, Settings(genesis=GENESIS))
