"""The data folder is made whole, opened as it was, and refused in one clear line when it cannot be used."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from node import folder as data
from node.errors import BadDataFolder, BadSetting
from node.settings import Settings


def test_a_folder_opens_as_it_was_made(tmp_path: Path) -> None:
    made = data.create_or_open(tmp_path / "chain", Settings(validators=3, accounts=2))
    opened = data.create_or_open(tmp_path / "chain", Settings())
    assert opened == made
    assert len(opened.genesis.validators) == 3
    assert opened.validator_key(2) != opened.validator_key(1)


def test_the_first_accounts_are_the_ones_everybody_knows(tmp_path: Path) -> None:
    account = data.create_or_open(tmp_path, Settings()).accounts[0]
    assert account.address.hex() == "f39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    assert account.private_key.hex() == "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"


def test_an_invalid_mnemonic_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="mnemonic is not valid"):
        data.create_or_open(tmp_path, Settings(mnemonic="test test test"))


@pytest.mark.parametrize(("name", "value"), [("accounts", -5), ("accounts", 5_000), ("mnemonic", "test test test")])
def test_a_chain_file_with_impossible_values_is_damaged(name: str, value: object, tmp_path: Path) -> None:
    data.create_or_open(tmp_path, Settings())
    file = tmp_path / "chain.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    with pytest.raises(BadDataFolder, match=f"{file} is damaged"):
        data.create_or_open(tmp_path, Settings())


def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    data.create_or_open(tmp_path, Settings())
    assert (tmp_path / "validator-0" / "key").stat().st_mode & 0o077 == 0


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(BadDataFolder, match=r"not empty and holds no chain \(thesis\.tex is there\)"):
        data.create_or_open(tmp_path, Settings())


def test_a_newer_format_is_refused_with_both_numbers(tmp_path: Path) -> None:
    data.create_or_open(tmp_path, Settings())
    about = json.loads((tmp_path / "chain.json").read_text())
    (tmp_path / "chain.json").write_text(json.dumps(about | {"format": data.FORMAT + 1}))
    with pytest.raises(BadDataFolder, match=f"has data format {data.FORMAT + 1}.*knows up to {data.FORMAT}"):
        data.create_or_open(tmp_path, Settings())


@pytest.mark.parametrize("file", ["chain.json", "genesis"])
def test_a_damaged_file_is_named(tmp_path: Path, file: str) -> None:
    data.create_or_open(tmp_path, Settings())
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:20])
    with pytest.raises(BadDataFolder, match=f"{file} is damaged"):
        data.create_or_open(tmp_path, Settings())


def test_a_genesis_of_another_chain_is_refused(tmp_path: Path) -> None:
    data.create_or_open(tmp_path / "a", Settings())
    data.create_or_open(tmp_path / "b", Settings(chain_id=5))
    (tmp_path / "a" / "genesis").write_bytes((tmp_path / "b" / "genesis").read_bytes())
    with pytest.raises(BadDataFolder, match="does not belong to"):
        data.create_or_open(tmp_path / "a", Settings())


@pytest.mark.parametrize(("setting", "value"), [("chain_id", 7), ("validators", 7), ("gas_limit", 70_000_000)])
def test_a_setting_the_chain_was_not_born_with_is_refused(tmp_path: Path, setting: str, value: int) -> None:
    data.create_or_open(tmp_path, Settings())
    wanted = replace(Settings(), **{setting: value})  # type: ignore[arg-type]
    with pytest.raises(BadDataFolder, match=f"made with --{setting.replace('_', '-')}"):
        data.create_or_open(tmp_path, wanted)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (Settings(consensus="hotstuff-2", leaders="round-robin"), "made with --leaders weighted, not round-robin"),
        (Settings(stake=(10, 20, 30, 40)), "made with --stake 40,30,20,10, not 10,20,30,40: leave --stake out"),
        (Settings(validators=2, stake=(1, 1)), "made with --stake 40,30,20,10, not 1,1"),
    ],
)
def test_a_chain_keeps_its_stakes_and_its_leaders(tmp_path: Path, asked: Settings, says: str) -> None:
    born = Settings(consensus="hotstuff-3", stake=(40, 30, 20, 10))
    made = data.create_or_open(tmp_path, born)
    assert [identity.stake for identity in made.genesis.validators] == [40, 30, 20, 10]
    assert (made.genesis.rules, made.genesis.leaders) == ("hotstuff-3", "weighted")
    assert data.create_or_open(tmp_path, born) == data.create_or_open(tmp_path, Settings()) == made
    with pytest.raises(BadDataFolder, match=says):
        data.create_or_open(tmp_path, asked)


def test_a_chain_keeps_its_rule_set(tmp_path: Path) -> None:
    data.create_or_open(tmp_path, Settings())
    with pytest.raises(BadDataFolder, match="made with --consensus hotstuff-2, not hotstuff-3: leave --consensus out"):
        data.create_or_open(tmp_path, Settings(consensus="hotstuff-3"))


def test_an_older_format_is_refused_with_both_numbers(tmp_path: Path) -> None:
    data.create_or_open(tmp_path, Settings())
    about = json.loads((tmp_path / "chain.json").read_text())
    (tmp_path / "chain.json").write_text(json.dumps(about | {"format": data.FORMAT - 1}))
    with pytest.raises(BadDataFolder, match=f"has data format {data.FORMAT - 1}, which .* reads {data.FORMAT}"):
        data.create_or_open(tmp_path, Settings())


def test_a_folder_is_held_by_one_chain_at_a_time(tmp_path: Path) -> None:
    with data.lock(tmp_path), pytest.raises(BadDataFolder, match="another Tandem runs in"):
        data.lock(tmp_path)
    data.lock(tmp_path).close()
