"""Where a server finds the service: `gunicorn wsgi:app`. Run as a program, it is
the local demo server: the same gunicorn, with demo settings."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

DEMO_SETTINGS = {
    "WALLET_DEMO": "1",
    "WALLET_OTP_CHANNEL": "log",
    "WALLET_FX_RATES": "USD/INR=83.12,EUR/INR=90.50,USD/JPY=149.30",
    "WALLET_WEBHOOK_RETRY_SECONDS": "0,2,4,8,16,30",
    "WALLET_WEBHOOK_ALLOW_PRIVATE": "1",
}
"""What the demo server switches on, unless the environment says otherwise."""


def port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return number


def ensure_startable(host: str, port: int) -> None:
    """End this program with what to type if the server cannot start."""
    if find_spec("gunicorn") is None:
        sys.exit(
            "The requirements are not installed. Type: python3 -m venv .venv && "
            ".venv/bin/pip install -qr requirements.txt && .venv/bin/python wsgi.py"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(
                f"Port {port} of {host} cannot be used: {error.strerror}. "
                f"Try another one: {sys.executable} wsgi.py --port {port + 1}"
            )


def serve_demo() -> None:
    """Become gunicorn, with demo settings."""
    parser = argparse.ArgumentParser(description="Run the wallet service locally.")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--port", default=8000, type=port, help="default: %(default)s")
    options = parser.parse_args()
    ensure_startable(options.host, options.port)
    host = f"[{options.host}]" if ":" in options.host else options.host
    for name, value in DEMO_SETTINGS.items():
        os.environ.setdefault(name, value)
    os.chdir(Path(__file__).parent)
    gunicorn = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "python:wallet_app.server.gunicorn_settings",
    ]
    os.execv(sys.executable, [*gunicorn, "-b", f"{host}:{options.port}", "wsgi:app"])


if __name__ == "__main__":
    serve_demo()
else:
    from wallet_app import create_app

    app = create_app()
