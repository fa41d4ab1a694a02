"""How a view finds the service of the app that is answering."""

from __future__ import annotations

from flask import Flask, current_app

from wallet_app.services.service import WalletService

_EXTENSION = "wallet_service"


def bind(app: Flask, wallet_service: WalletService) -> None:
    """Make `service()` return this service within the app."""
    app.extensions[_EXTENSION] = wallet_service


def service() -> WalletService:
    """Return the service of the current app."""
    found: WalletService = current_app.extensions[_EXTENSION]
    return found
