"""What a browser or a health check gets from the RPC port: plain HTTP, with FastAPI."""

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from rpc.methods import Node
from rpc.network import client_version

HINT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Tandem</title>
<body style="font: 1rem/1.5 system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>Tandem is running</h1>
<p>This is the JSON-RPC address of a local Ethereum chain: chain id {chain_id}, block {number}.</p>
<p>Add it to your wallet as a network, or try</p>
<pre>curl -H 'content-type: application/json' {url} \\
  -d '{{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}}'</pre>
<p>The same address takes WebSocket connections for subscriptions.</p>
</body></html>
"""


def build_pages(node: Node) -> FastAPI:
    """The FastAPI application behind the RPC endpoint."""
    pages = FastAPI(title="Tandem", docs_url=None, redoc_url=None, openapi_url=None)

    @pages.get("/")
    async def hint(request: Request) -> Response:
        facts = {"chainId": node.genesis.chain_id, "block": node.chain.number}
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"client": client_version(), **facts, "hint": "POST JSON-RPC 2.0 to this address"})
        page = HINT.format(chain_id=node.genesis.chain_id, number=node.chain.number, url=request.base_url)
        return HTMLResponse(page)

    @pages.get("/health")
    async def health() -> Response:
        """200 while reads and new blocks can be served, else 503 with what is missing."""
        missing = [
            name for name, link in (("storage", node.storage), ("execution", node.execution)) if not link.connected
        ]
        if missing:
            return JSONResponse({"status": "waiting", "for": missing}, status_code=503)
        return JSONResponse({"status": "ok", "block": node.chain.number})

    return pages
