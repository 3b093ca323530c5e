"""What a browser or a health check gets from the RPC port: the page and plain HTTP, with FastAPI."""

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from rpc.methods import Node
from rpc.network import client_version
from rpc.page_files import answer, page_files
from rpc.readiness import missing_validators, unreachable
from rpc.status import execution_status, status


def build_pages(node: Node) -> FastAPI:
    """The FastAPI application behind the RPC endpoint."""
    pages = FastAPI(title="Tandem", docs_url=None, redoc_url=None, openapi_url=None)
    files = page_files()

    @pages.api_route("/", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        """The page for browsers, a few facts for whoever asks for no HTML."""
        if "text/html" in request.headers.get("accept", ""):
            return answer(files["index.html"], request)
        facts = {"client": client_version(), "chainId": node.chain.chain_id, "block": node.chain.number}
        return JSONResponse(facts | {"hint": "POST JSON-RPC 2.0 to this address"}, headers={"Vary": "Accept"})

    @pages.api_route("/page/{name}", methods=["GET", "HEAD"])
    async def page_file(name: str, request: Request) -> Response:
        if name not in files:
            raise HTTPException(404)
        return answer(files[name], request)

    @pages.api_route("/health", methods=["GET", "HEAD"])
    async def health() -> Response:
        """200 while reads and new blocks can be served, else 503 with what is missing."""
        return _state(node, unreachable(node))

    @pages.api_route("/ready", methods=["GET", "HEAD"])
    async def ready() -> Response:
        """200 while transactions can be made into blocks, else 503 with what is missing."""
        missing = unreachable(node)
        missing += [f"validator-{index}" for index in missing_validators(node)]
        status = None if missing else await execution_status(node)
        return _state(node, missing, "" if status is None else status["stalled"])

    @pages.api_route("/metrics", methods=["GET", "HEAD"])
    async def metrics(request: Request) -> Response:
        """Prometheus' text, or OpenMetrics for who asks for that."""
        from rpc.metrics import exposition

        text, content_type = exposition(await status(node), node.requests, request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": content_type})

    return pages


def _state(node: Node, missing: list[str], stalled: str = "") -> Response:
    if missing:
        return JSONResponse({"status": "waiting", "for": missing}, status_code=503)
    if stalled:
        return JSONResponse({"status": "stalled", "why": stalled}, status_code=503)
    return JSONResponse({"status": "ok", "block": node.chain.number})
