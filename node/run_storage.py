"""The storage process: the only one that opens the state's database."""

import asyncio

from node.output import Output
from node.plan import Plan, Role
from node.sockets import sockets_of
from storage.process import StorageService
from storage.store import Store


async def run_storage(plan: Plan, role: Role, output: Output) -> None:
    """Until cancelled."""
    store = Store.open(plan.folder.storage(role.executor), plan.folder.genesis, durable=plan.folder.durable)
    service = StorageService(store)
    async with sockets_of(role) as sockets:
        sockets.serve(plan.endpoints.storage(role.executor, bind=True), service)
        try:
            await asyncio.Event().wait()
        finally:
            await service.close()
