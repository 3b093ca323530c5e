"""The page's files, read once and answered from memory: by their ETag, and under a policy that lets in nothing else.

Whatever a contract's name or a revert text says, the browser runs no script and loads no address but this one's.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fastapi import Request
from fastapi.responses import Response

FOLDER = Path(__file__).parent / "page"
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Vary": "Accept",
}
"""`no-cache`: kept by the browser, and asked for by ETag, so that an updated checkout shows its own page at once."""


@dataclass(frozen=True, slots=True)
class PageFile:
    content: bytes
    content_type: str
    etag: str


def page_files(folder: Path = FOLDER) -> dict[str, PageFile]:
    """Every file of the page by its name."""
    return {path.name: _read(path) for path in folder.iterdir() if path.suffix in CONTENT_TYPES}


def answer(file: PageFile, request: Request) -> Response:
    """The file, or 304 to a browser that has it."""
    headers = {**HEADERS, "ETag": file.etag}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.content_type, headers=headers)


def _read(path: Path) -> PageFile:
    content = path.read_bytes()
    return PageFile(content, CONTENT_TYPES[path.suffix], f'"{sha256(content).hexdigest()[:32]}"')
