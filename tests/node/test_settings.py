"""What users may set, and what they are told when it cannot be."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from node.dask_scheduler import NoScheduler, check_scheduler
from node.errors import BadSetting
from node.main import cli, up
from node.settings import Settings, block_time_from, history_from, stake_from
from node.settings_file import read_settings_file

KNOWN = {option.name for option in up.params if option.name}


@pytest.mark.parametrize(("text", "blocks"), [("full", None), ("16", 16), ("128", 128), ("1000000000", 10**9)])
def test_a_history_is_full_or_a_number_of_blocks(text: str, blocks: int | None) -> None:
    assert history_from(text) == blocks


@pytest.mark.parametrize("text", ["", "15", "-1", "0", "1000000001", "all", "1e3", "9" * 30, "²"])
def test_a_history_that_means_nothing_is_refused_with_what_to_give(text: str) -> None:
    with pytest.raises(
        BadSetting, match="give full, or how many blocks' states to keep besides the newest one's, 16 to 1000000000"
    ):
        history_from(text)


@pytest.mark.parametrize(("text", "milliseconds"), [("auto", None), ("400ms", 400), ("2s", 2000), ("0.5s", 500)])
def test_block_times_are_read_as_people_write_them(text: str, milliseconds: int | None) -> None:
    assert block_time_from(text) == milliseconds


@pytest.mark.parametrize("text", ["", "fast", "0ms", "2", "-1s", "5000s"])
def test_a_block_time_that_means_nothing_is_refused_with_examples(text: str) -> None:
    with pytest.raises(BadSetting, match="such as 400ms or 2s"):
        block_time_from(text)


@pytest.mark.parametrize(
    ("setting", "value"), [("validators", 0), ("port", 70_000), ("gas_limit", 1), ("max_lag", 0), ("accounts", 0)]
)
def test_a_value_out_of_range_is_refused_with_the_range(setting: str, value: int) -> None:
    with pytest.raises(BadSetting, match=f"--{setting.replace('_', '-')} {value} is out of range: give"):
        Settings(**{setting: value}).checked()  # type: ignore[arg-type]


@pytest.mark.parametrize("site", ["localhost:3000", "foo", "http://localhost:3000/app", "https://", ""])
def test_an_origin_that_no_page_has_is_refused(site: str) -> None:
    with pytest.raises(BadSetting, match=r"--allow-origin .* is no site, so no page is of it: give its scheme"):
        Settings(allow_origin=("*", site)).checked()


def test_origins_are_sites_all_or_files() -> None:
    Settings(
        allow_origin=("*", "null", "http://localhost:3000", "https://a.example/", "moz-extension://1f-2")
    ).checked()


def test_a_settings_file_gives_options_by_their_names(tmp_path: Path) -> None:
    file = tmp_path / "tandem.toml"
    file.write_text('chain-id = 1\nblock-time = "2s"\njson = true\nstake = [3, 2]\n')
    assert read_settings_file(file, KNOWN) == {"chain_id": "1", "block_time": "2s", "json": "true", "stake": "3,2"}


def test_an_unknown_setting_in_the_file_is_named_with_the_likely_one(tmp_path: Path) -> None:
    file = tmp_path / "tandem.toml"
    file.write_text("prot = 1\n")
    with pytest.raises(BadSetting, match="sets 'prot', which is no option of tandem up; did you mean port"):
        read_settings_file(file, KNOWN)


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "tandem.toml"
    file.write_text("port: 1\n")
    with pytest.raises(BadSetting, match=r"tandem\.toml is not TOML"):
        read_settings_file(file, KNOWN)


@pytest.mark.parametrize("text", ["40,30,20,10", " 40, 30,20 ,10 ", "+40,30,20,10"])
def test_stake_is_read_as_people_write_it(text: str) -> None:
    assert stake_from(text) == (40, 30, 20, 10)


@pytest.mark.parametrize(
    ("text", "wrong"), [("40,x,20", "'x'"), ("40,,20", "''"), ("", "''"), ("1.5,2", "'1.5'"), ("40;30", "'40;30'")]
)
def test_a_stake_that_is_no_number_is_refused_with_an_example(text: str, wrong: str) -> None:
    with pytest.raises(BadSetting, match=f"{wrong} is not a whole number: give one for each validator, such as 40,30"):
        stake_from(text)


@pytest.mark.parametrize(
    ("stake", "says"),
    [
        ((40, 30, 20), "has 3 numbers for 4 validators"),
        ((40, 30, 20, 10, 1), "has 5 numbers for 4 validators"),
        ((40, 0, 20, 10), "0 is out of range: give each validator 1 to"),
        ((40, -30, 20, 10), "-30 is out of range"),
        ((10**19, 1, 1, 1), "out of range"),
        ((99_991, 1, 1, 1), "give rounder numbers"),
    ],
)
def test_a_stake_that_cannot_be_is_refused_in_one_line(stake: tuple[int, ...], says: str) -> None:
    with pytest.raises(BadSetting, match=says) as refused:
        Settings(stake=stake).checked()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("stake", [(40, 30, 20, 10), (100, 1, 1, 1), (10**18,) * 4])
def test_a_stake_may_be_as_uneven_as_one_likes(stake: tuple[int, ...]) -> None:
    assert Settings(stake=stake).checked().stakes == stake


@pytest.mark.parametrize(
    ("pool", "scheduler"),
    [("local", None), ("dask://127.0.0.1:8786", "tcp://127.0.0.1:8786"), ("dask://[::1]:1/", "tcp://[::1]:1")],
)
def test_a_pool_is_the_chains_own_or_a_dask_schedulers(pool: str, scheduler: str | None) -> None:
    assert Settings(pool=pool).checked().dask_scheduler == scheduler


@pytest.mark.parametrize("pool", ["", "dask", "dask://", "dask://host", "dask://host:", "dask://a/b:1", "tcp://host:1"])
def test_another_pool_is_refused_with_what_there_is(pool: str) -> None:
    with pytest.raises(BadSetting, match="is not known: give local, or dask://HOST:PORT of a Dask scheduler"):
        Settings(pool=pool).checked()


def test_a_dask_pool_without_dask_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadSetting, match=r"needs the package distributed: .*pip install 'distributed"):
        check_scheduler(Settings(pool="dask://127.0.0.1:8786"))


@pytest.mark.parametrize("pool", ["dask://127.0.0.1:0", "dask://127.0.0.1:99999", "dask://no.such.host.invalid:1"])
def test_a_dask_scheduler_that_is_not_there_is_named(pool: str) -> None:
    with pytest.raises(NoScheduler, match=f"no Dask scheduler answers at {pool} "):
        check_scheduler(Settings(pool=pool))


@pytest.mark.parametrize("name", ["consensus", "leaders", "strategy", "evm"])
def test_an_unknown_name_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(BadSetting, match=f"unknown --{name} 'paxos': choose one of .*, .*"):
        Settings(**{name: "paxos"}).checked()  # type: ignore[arg-type]


def started_with(monkeypatch: pytest.MonkeyPatch, *arguments: str, **environment: str) -> Settings:
    seen: list[Settings] = []

    def start(settings: Settings) -> int:
        seen.append(settings)
        return 0

    monkeypatch.setattr("node.up.up", start)
    run = CliRunner().invoke(cli, ["up", *arguments], env=environment)
    assert run.exit_code == 0, run.output
    return seen[0]


def test_stake_says_how_many_validators_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = started_with(monkeypatch, "--stake", "3,2,1", "--consensus", "hotstuff-3", "--leaders", "round-robin")
    assert (settings.validators, settings.stakes) == (3, (3, 2, 1))
    assert (settings.consensus, settings.leaders) == ("hotstuff-3", "round-robin")
    alone = started_with(monkeypatch)
    assert (alone.validators, alone.stakes) == (4, (1, 1, 1, 1))
    assert (alone.consensus, alone.leaders) == ("hotstuff-2", "weighted")


def test_stake_can_stand_in_the_environment_and_as_text_or_a_list_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert started_with(monkeypatch, TANDEM_STAKE="3,2,1", TANDEM_CONSENSUS="hotstuff-3").stake == (3, 2, 1)
    assert started_with(monkeypatch, TANDEM_STAKE="").stake == ()
    file = tmp_path / "settings.toml"
    for value in ('"3,2,1"', "[3, 2, 1]"):
        file.write_text(f"stake = {value}\n")
        assert started_with(monkeypatch, "--config", str(file)).stake == (3, 2, 1)


def test_a_stake_for_another_number_of_validators_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    run = CliRunner().invoke(cli, ["up", "--stake", "3,2,1", "--validators", "5"])
    assert isinstance(run.exception, BadSetting)
    assert str(run.exception) == (
        "--stake 3,2,1 has 3 numbers for 5 validators: give one for each, or leave --validators out"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("balance = 1.5", "'1.5' is not a valid integer"),
        ("chain-id = true", "'true' is not a valid integer"),
        ("json = 7", "'7' is not a valid boolean"),
        ("check-serial = 'maybe'", "'maybe' is not a valid boolean"),
        ("hardfork = 7", "'7' is not one of 'cancun', 'prague'"),
        ("port = 2026-01-01", "sets 'port' to datetime.date(2026, 1, 1): give a text, a number"),
        ("[up]", "sets 'up', which is no option"),
        ("[port]", "sets 'port' to {}: give a text, a number"),
    ],
)
def test_a_value_of_another_kind_in_the_file_is_refused_as_if_it_were_typed(
    tmp_path: Path, line: str, words: str
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(line + "\n")
    run = CliRunner().invoke(cli, ["up", "--config", str(file)])
    assert words in f"{run.output}{run.exception}"
    assert isinstance(run.exception, BadSetting | SystemExit)


def test_a_number_may_stand_where_a_text_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Settings] = []

    def start(settings: Settings) -> int:
        seen.append(settings)
        return 0

    monkeypatch.setattr("node.up.up", start)
    file = tmp_path / "settings.toml"
    file.write_text("data-dir = 5\n")
    run = CliRunner().invoke(cli, ["up", "--config", str(file)])
    assert run.exit_code == 0, run.output
    assert [settings.data_dir for settings in seen] == [Path("5")]


def test_the_command_line_comes_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Settings] = []

    def start(settings: Settings) -> int:
        seen.append(settings)
        return 0

    monkeypatch.setattr("node.up.up", start)
    file = tmp_path / "settings.toml"
    file.write_text('port = 1\nworkers = 7\nchain-id = 5\njson = true\nblock-time = "400ms"\n')
    environment = {"TANDEM_PORT": "2", "TANDEM_WORKERS": "8"}
    run = CliRunner().invoke(cli, ["up", "--config", str(file), "--port", "3"], env=environment)
    assert run.exit_code == 0, run.output
    (settings,) = seen
    assert (settings.port, settings.workers, settings.chain_id) == (3, 8, 5)
    assert settings.json
    assert settings.block_time_ms == 400


def test_help_names_every_option_and_its_default() -> None:
    run = CliRunner().invoke(cli, ["up", "--help"])
    for option in ("--port", "--block-time", "--check-serial", "--strategy", "--max-lag", "--data-dir", "--mnemonic"):
        assert option in run.output
    assert "[default: 8545]" in run.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell: str) -> None:
    run = CliRunner().invoke(cli, ["completion", shell])
    assert run.exit_code == 0
    assert "_TANDEM_COMPLETE" in run.output


@pytest.mark.parametrize(
    ("content", "folders"), [('artifacts = ["a/out", "b"]', ("a/out", "b")), ('artifacts = "out"', ("out",))]
)
def test_a_settings_file_names_one_folder_of_artifacts_or_several(
    content: str, folders: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "other.toml"
    file.write_text(content)
    with up.make_context("up", ["--config", str(file)], parent=click.Context(cli)) as context:
        assert context.params["artifacts"] == tuple(map(Path, folders))


def test_the_environment_names_several_folders_of_artifacts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_ARTIFACTS", "a/out:b")
    with up.make_context("up", [], parent=click.Context(cli)) as context:
        assert context.params["artifacts"] == (Path("a/out"), Path("b"))
