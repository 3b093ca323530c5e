"""Over a WebSocket: subscriptions, and by --full all that is asked over HTTP too."""

from typing import Any

import pytest
from web3._utils.module_testing.persistent_connection_provider import PersistentConnectionProviderTest

from tests.e2e.web3_suite.asynchronous_eth import AsyncEthModuleHere


class TestPersistentConnection(PersistentConnectionProviderTest):
    over_websocket = True

    async def test_async_eth_subscribe_syncing_mocked(self, *_: Any) -> None:
        pytest.skip("the test's own message must come first, and the node says at once that it is in sync")


@pytest.mark.full
@pytest.mark.usefixtures("manual_mining")
class TestEthModule(AsyncEthModuleHere):
    over_websocket = True
