"""What a browser or a health check gets from the RPC port: the page and plain HTTP, with FastAPI."""

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from rpc.methods import Node
from rpc.network import client_version
from rpc.page_files import answer, page_files


def build_pages(node: Node) -> FastAPI:
    """The FastAPI application behind the RPC endpoint."""
    pages = FastAPI(title="Tandem", docs_url=None, redoc_url=None, openapi_url=None)
    files = page_files()

    @pages.api_route("/", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        """The page for browsers, a few facts for whoever asks for no HTML."""
        if "text/html" in request.headers.get("accept", ""):
            return answer(files["index.html"], request)
        facts = {"client": client_version(), "chainId": node.genesis.chain_id, "block": node.chain.number}
        return JSONResponse(facts | {"hint": "POST JSON-RPC 2.0 to this address"}, headers={"Vary": "Accept"})

    @pages.api_route("/page/{name}", methods=["GET", "HEAD"])
    async def page_file(name: str, request: Request) -> Response:
        if name not in files:
            raise HTTPException(404)
        return answer(files[name], request)

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
