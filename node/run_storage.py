"""The storage process: the only one that opens the state's database."""

from node.imported import copy_store, imported_store
from node.loading import loading_of
from node.output import Output
from node.plan import Plan, Role
from node.sockets import sockets_of
from storage.process import StorageService
from storage.remote import RemoteChain
from storage.store import Store


async def run_storage(plan: Plan, role: Role, output: Output) -> None:
    """Until cancelled. Raises CorruptStore when it meets something damaged."""
    folder = plan.folder
    path, imported = folder.storage(role.executor), imported_store(folder.path, folder.genesis)
    if imported is not None and not path.exists():
        copy_store(imported, path)
    history, loading = plan.settings.history, loading_of(folder, output)
    store = Store.open(path, folder.genesis, durable=folder.durable, history=history, loading=loading)
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
