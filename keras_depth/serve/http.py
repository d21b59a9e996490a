"""The HTTP application: its paths, and the form of its errors."""

from functools import partial
from importlib import resources
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from kserve.errors import InvalidInput, ModelNotFound
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.v1_endpoints import register_v1_endpoints
from kserve.protocol.rest.v2_endpoints import register_v2_endpoints
from prometheus_client import REGISTRY, Counter, exposition
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from keras_depth.serve import v1, v2
from keras_depth.serve.model import Busy, ReadOnlyRepository

REFUSED = Counter("keras_depth_refused", "requests that were refused", ["status"])

# The page may use nothing but what it holds itself, and this server.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
    " img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)


def create(dataplane: DataPlane, max_bytes: int) -> FastAPI:
    """Builds the application.

    Args:
        dataplane: KServe's, with the models.
        max_bytes: of a request's body; a longer one is answered with 413.
    """
    app = FastAPI(title="keras_depth", docs_url=None, redoc_url=None, openapi_url=None)
    _add_pages(app)
    _add_inference(app, dataplane, max_bytes)
    # KServe's health, readiness and metadata. Where two routes have one path, the first counts.
    register_v1_endpoints(app, dataplane, ReadOnlyRepository(dataplane.model_registry))
    register_v2_endpoints(app, dataplane, ReadOnlyRepository(dataplane.model_registry))
    _add_errors(app)
    return app


def _add_pages(app: FastAPI) -> None:
    page = resources.files("keras_depth.serve").joinpath("page.html").read_text("utf-8")

    @app.get("/")
    async def index():
        return HTMLResponse(page, headers={"content-security-policy": _POLICY})

    @app.get("/metrics")
    async def metrics(request: Request):
        write, content_type = exposition.choose_encoder(request.headers.get("accept", ""))
        return Response(write(REGISTRY), headers={"content-type": content_type})


def _add_inference(app: FastAPI, dataplane: DataPlane, max_bytes: int) -> None:
    @app.post("/v1/models/{name}:predict")
    async def predict(name: str, request: Request):
        dataplane.get_model_from_registry(name)  # an unknown one is 404, whatever the body
        body = await read_body(request, max_bytes)
        answer, _ = await dataplane.infer(name, partial(v1.decode, body))
        return Response(answer, media_type="application/json")

    @app.post("/v2/models/{name}/infer")
    async def infer(name: str, request: Request):
        dataplane.get_model_from_registry(name)
        body = await read_body(request, max_bytes)
        decode = partial(v2.decode, body, request.headers.get(v2.JSON_SIZE), name)
        (answer, json_size), _ = await dataplane.infer(name, decode)
        if json_size is None:
            return Response(answer, media_type="application/json")
        headers = {v2.JSON_SIZE: str(json_size)}
        return Response(answer, media_type="application/octet-stream", headers=headers)

    @app.get("/v1/models/{name}:predict")  # else KServe takes it for a model's name
    async def wrong_method(name: str):
        raise HTTPException(405, headers={"Allow": "POST"})

    # KServe answers these with 501.
    @app.post("/v1/models/{name}:explain")
    @app.get("/v2/models/{name}/versions/{version}")
    @app.get("/v2/models/{name}/versions/{version}/ready")
    @app.post("/v2/models/{name}/versions/{version}/infer")
    async def absent(request: Request):
        raise HTTPException(404)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Reads a request's body.

    A body that is too long is read to its end and thrown away: most clients read the answer only
    after they have sent everything, and would report a broken connection instead of the sentence.

    Raises:
        HTTPException: 413, the body is longer than `max_bytes`.
    """
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= max_bytes:
            chunks.append(chunk)
        else:
            chunks.clear()
    if size > max_bytes:
        raise HTTPException(
            413, f"{size:,} bytes; a request has at most {max_bytes:,} (the server's --max-bytes)"
        )
    return b"".join(chunks)


def _add_errors(app: FastAPI) -> None:
    def refuse(status: int, sentence: str, headers: Any = None) -> JSONResponse:
        REFUSED.labels(status=status).inc()
        return JSONResponse({"error": sentence}, status, headers)

    @app.exception_handler(InvalidInput)
    async def bad(request: Request, error: InvalidInput):
        return refuse(400, error.reason)

    @app.exception_handler(ModelNotFound)
    async def unknown(request: Request, error: ModelNotFound):
        return refuse(404, error.reason)

    @app.exception_handler(Busy)
    async def busy(request: Request, error: Busy):
        return refuse(503, str(error), {"retry-after": "1"})

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect):
        return Response(status_code=400)  # nobody reads it

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException):
        path = request.url.path[:80]
        sentences = {
            404: f"there is nothing at {path}; see /v1/models, /v2/models and /metrics",
            405: f"{request.method} is not what {path} takes; use"
            f" {(error.headers or {}).get('Allow', 'another method')}",
        }
        return refuse(
            error.status_code, sentences.get(error.status_code, error.detail), error.headers
        )

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception):  # what went wrong is in the server's log
        return refuse(500, "the server failed; its log says why")
