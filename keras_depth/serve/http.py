"""The HTTP application: its paths, and the form of its errors."""

import re
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
from keras_depth.serve.tensorflow_serving import metadata_of, status_of, to_json

REFUSED = Counter("keras_depth_refused", "requests that were refused", ["status"])

# The page may use nothing but what it holds itself, and this server.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
    " img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)

_PNG = re.compile(r"image/png(?!\s*;\s*q=0(\.0*)?\s*(,|$))", re.IGNORECASE)  # in Accept


class HeadAsGet:
    """Answers HEAD as GET, of which uvicorn then sends the headers alone."""

    def __init__(self, app: Any):
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("method") == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


def create(dataplane: DataPlane, max_bytes: int) -> FastAPI:
    """Builds the application.

    Args:
        dataplane: KServe's, with the models.
        max_bytes: of a request's body; a longer one is answered with 413.
    """
    app = FastAPI(title="keras_depth", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(HeadAsGet)
    _add_pages(app)
    _add_v1(app, dataplane, max_bytes)
    _add_v2(app, dataplane, max_bytes)
    # KServe's health, readiness and lists. Where two routes have one path, the first counts.
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


def _add_v1(app: FastAPI, dataplane: DataPlane, max_bytes: int) -> None:
    models = dataplane.model_registry

    @app.post("/v1/models/{name}:predict")
    @app.post("/v1/models/{name}/versions/{version}:predict")
    async def predict(request: Request):
        model = models.get_version(**request.path_params)  # 404 first, whatever the body
        body = await read_body(request, max_bytes)
        as_file = False
        decode = partial(v1.decode, body)
        if request.headers.get("content-type", "").lower().startswith("image/"):
            as_file = bool(_PNG.search(request.headers.get("accept", "")))
            decode = partial(v1.decode_file, body, dict(request.query_params), as_file)
        answer, _ = await dataplane.infer(model.name, decode)
        return Response(answer, media_type="image/png" if as_file else "application/json")

    # Else KServe takes NAME:predict for a model's name.
    @app.get("/v1/models/{name}:predict")
    @app.get("/v1/models/{name}/versions/{version}:predict")
    async def wrong_method(request: Request):
        raise HTTPException(405, headers={"Allow": "POST"})

    @app.post("/v1/models/{name}:{verb}")
    @app.post("/v1/models/{name}/versions/{version}:{verb}")
    async def other_verb(name: str, verb: str):
        models.get_model(name)
        raise HTTPException(
            404, f"{name} has nothing to {verb[:40]}: it estimates depth; use {name}:predict"
        )

    @app.api_route("/v1/models/{name}/labels/{label:path}", methods=["GET", "POST"])
    async def labels(name: str, label: str):
        version = models.get_model(name).version
        raise HTTPException(
            404, f"{name} has no labels; ask for version {version}, which is served, or for none"
        )

    @app.get("/v1/models/{name}")
    @app.get("/v1/models/{name}/versions/{version}")
    async def status(request: Request):
        model = models.get_version(**request.path_params)
        # KServe's answer, and TensorFlow Serving's.
        return {"name": model.name, "ready": model.ready, **to_json(status_of(model))}

    @app.get("/v1/models/{name}/metadata")
    @app.get("/v1/models/{name}/versions/{version}/metadata")
    async def metadata(request: Request):
        return to_json(metadata_of(models.get_version(**request.path_params)))


def _add_v2(app: FastAPI, dataplane: DataPlane, max_bytes: int) -> None:
    models = dataplane.model_registry

    @app.post("/v2/models/{name}/infer")
    @app.post("/v2/models/{name}/versions/{version}/infer")
    async def infer(request: Request):
        model = models.get_version(**request.path_params)
        body = await read_body(request, max_bytes)
        decode = partial(v2.decode, body, request.headers.get(v2.JSON_SIZE), model.name)
        (answer, json_size), _ = await dataplane.infer(model.name, decode)
        if json_size is None:
            return Response(answer, media_type="application/json")
        headers = {v2.JSON_SIZE: str(json_size)}
        return Response(answer, media_type="application/octet-stream", headers=headers)

    @app.get("/v2/models/{name}")
    @app.get("/v2/models/{name}/versions/{version}")
    async def metadata(request: Request):
        model = models.get_version(**request.path_params)
        described = await dataplane.model_metadata(model.name)
        return {**described, "versions": [str(model.version)]}

    @app.get("/v2/models/{name}/versions/{version}/ready")  # KServe's is for no version
    async def ready(name: str, version: str):
        return {"name": name, "ready": models.get_version(name, version).ready}


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Reads a request's body.

    A body that is too long is read to its end and thrown away: most clients read the answer only
    after they have sent everything, and would report a broken connection instead of the sentence.

    Raises:
        HTTPException: 413, the body is longer than `max_bytes`; 415, it is compressed.
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
    encoding = request.headers.get("content-encoding", "")
    if encoding.lower() not in ("", "identity"):
        raise HTTPException(
            415, f"Content-Encoding {encoding[:40]!r} is not taken; send the body as it is, without"
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
        sentences = {  # for FastAPI's own words
            "Not Found": f"there is nothing at {path}; see /v1/models, /v2/models and /metrics",
            "Method Not Allowed": f"{request.method} is not what {path} takes; use"
            f" {(error.headers or {}).get('Allow', 'another method')}",
        }
        return refuse(error.status_code, sentences.get(error.detail, error.detail), error.headers)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception):  # what went wrong is in the server's log
        return refuse(500, "the server failed; its log says why")
