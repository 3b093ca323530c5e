"""The storage process: the only one that opens the state's database."""

from node.imported import copy_store, imported_store
from node.output import Output
from node.plan import Plan, Role
from node.sockets import sockets_of
from storage.process import StorageService
from storage.remote import RemoteChain
from storage.store import Store


async def run_storage(plan: Plan, role: Role, output: Output) -> None:
    """Until cancelled. Raises CorruptStore when it meets something damaged."""
    path, imported = plan.folder.storage(role.executor), imported_store(plan.folder.path, plan.folder.genesis)
    if imported is not None and not path.exists():
        copy_store(imported, path)
    history = plan.settings.history
    store = Store.open(path, plan.folder.genesis, durable=plan.folder.durable, history=history)
    service = StorageService(store, _remote(plan))
    async with sockets_of(role) as sockets:
        sockets.serve(plan.endpoints.storage(role.executor, bind=True), service)
        try:
            await service.damage
        finally:
            await service.close()


def _remote(plan: Plan) -> RemoteChain | None:
    """The chain that this one was forked from, if it was."""
    if plan.folder.fork is None:
        return None
    from node.remote.chain import HttpRemote  # an HTTP client that only forks need
    from node.remote.client import JsonRpcClient

    return HttpRemote(JsonRpcClient(plan.folder.fork.url), plan.folder.fork.point)
