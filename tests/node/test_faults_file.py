"""The network faults in force survive every process of the chain."""

from pathlib import Path

import pytest

from chain.messages.faults import SetNetworkFaults
from chain.network_faults import WHOLE_NETWORK, NetworkFaults
from chain.types import ValidatorIndex
from node.errors import BadDataFolder
from node.faults_file import FaultsFile


def test_without_a_file_the_network_is_whole(tmp_path: Path) -> None:
    assert FaultsFile(str(tmp_path / "faults")).read() == SetNetworkFaults(0, WHOLE_NETWORK)


def test_what_was_written_last_is_read(tmp_path: Path) -> None:
    file = FaultsFile(str(tmp_path / "faults"))
    for revision in (1, 2):
        written = SetNetworkFaults(revision, NetworkFaults(delays_ms={ValidatorIndex(1): revision}))
        file.write(written)
        assert file.read() == written
    assert [path.name for path in tmp_path.iterdir()] == ["faults"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "faults"
    path.write_bytes(b"no faults")
    with pytest.raises(BadDataFolder, match="remove that file") as refused:
        FaultsFile(str(path)).read()
    assert str(path) in str(refused.value)
