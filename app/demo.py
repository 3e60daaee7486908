"""`/demo`: a page of plain HTML and JavaScript for people to copy, under a policy that allows its own files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

PAGE = Path(__file__).with_name("demo_page")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def add_demo(app: FastAPI) -> None:
    """Adds the page at `/demo` and its files below it."""

    @app.get("/demo", include_in_schema=False)
    async def demo() -> Response:
        return FileResponse(PAGE / "index.html", headers={"Content-Security-Policy": POLICY})

    app.mount("/demo", _Files(directory=PAGE), name="demo")


class _Files(StaticFiles):
    """Files that a browser asks for anew each time: the server may have been updated since."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        answer = super().file_response(*args, **kwargs)
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["Content-Security-Policy"] = POLICY
        return answer
