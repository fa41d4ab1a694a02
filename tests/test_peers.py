"""The benchmarks compare like with like: the peers' answers are those of the service.

The benchmarks say the same to each peer before they measure, because FastAPI and
Express are installed only there.
"""

from __future__ import annotations

from typing import Any

from flask import Flask

from tests.benchmarks.peers import flask_peer
from tests.benchmarks.peers.conversation import Ask, conversation
from wallet_app import create_app


def asking(app: Flask) -> Ask:
    client = app.test_client()

    def ask(path: str, body: Any) -> tuple[int, Any]:
        answer = client.post(path, json=body)
        return answer.status_code, answer.get_json()

    return ask


def test_the_plain_flask_app_answers_as_the_service() -> None:
    assert conversation(asking(flask_peer.app)) == conversation(asking(create_app()))
