"""The storage process: the only one that opens the state's database."""

import asyncio

from node.imported import copy_store, imported_store
from node.output import Output
from node.plan import Plan, Role
from node.sockets import sockets_of
from storage.process import StorageService
from storage.store import Store


async def run_storage(plan: Plan, role: Role, output: Output) -> None:
    """Until cancelled."""
    path, imported = plan.folder.storage(role.executor), imported_store(plan.folder.path, plan.folder.genesis)
    if imported is not None and not path.exists():
        copy_store(imported, path)
    store = Store.open(path, plan.folder.genesis, durable=plan.folder.durable)
    service = StorageService(store)
    async with sockets_of(role) as sockets:
        sockets.serve(plan.endpoints.storage(role.executor, bind=True), service)
        try:
            await asyncio.Event().wait()
        finally:
            await service.close()
