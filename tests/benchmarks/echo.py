"""The reference for `POST /wallet/transfer`: what Flask costs on the same server."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

app = Flask(__name__)


@app.post("/echo")
def echo() -> Any:
    return request.get_json()
