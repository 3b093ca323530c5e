"""The file that says which network faults are in force, so that no process heals them by starting again.

rpc writes it before it tells the validators; a validator reads it before it opens its links.
"""

import os
from pathlib import Path

from chain.codec import MessageError, decode_message, encode_message
from chain.messages.faults import SetNetworkFaults
from chain.network_faults import WHOLE_NETWORK
from node.errors import BadDataFolder


class FaultsFile:
    """Implements rpc.network_control.FaultsStore."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def read(self) -> SetNetworkFaults:
        """What was written last. Raises BadDataFolder."""
        try:
            held = decode_message(self._path.read_bytes())
        except FileNotFoundError:
            return SetNetworkFaults(0, WHOLE_NETWORK)
        except (OSError, MessageError) as error:
            raise BadDataFolder(
                f"cannot read the network faults in {self._path}: {error}; remove that file to have none"
            ) from error
        assert isinstance(held, SetNetworkFaults)
        return held

    def write(self, faults: SetNetworkFaults) -> None:
        """All or nothing. Raises OSError."""
        partial = self._path.with_name(self._path.name + ".partial")
        partial.write_bytes(encode_message(faults))
        os.replace(partial, self._path)
