"""Limit what may leave a wallet, and report how much of it is used."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import LimitsBody
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import answers, refuses, takes_body
from wallet_app.api.outgoing.answers import WalletLimits, answer
from wallet_app.domain.errors.wallet_errors import WalletNotFound
from wallet_app.domain.spending import Limits

blueprint = Blueprint("limits", __name__)


@blueprint.get("/wallet/<uuid:wallet_id>/limits")
@answers(200, examples.LIMITS)
@refuses(WalletNotFound)
def get_limits(wallet_id: str) -> Response:
    """Get a wallet's limits and what of them is used

    Days and months begin in the time zone of the service.
    """
    return answer(WalletLimits.from_usage(service().get_limits(wallet_id)))


@blueprint.put("/wallet/<uuid:wallet_id>/limits")
@takes_body(LimitsBody())
@answers(200, examples.LIMITS)
@refuses(WalletNotFound)
def set_limits(body: dict[str, Any], wallet_id: str) -> Response:
    """Set a wallet's limits

    These are all its limits from now on: one that is null or not given is none. What
    was spent before counts. The settings' limits no longer hold for this wallet.
    """
    usage = service().set_limits(wallet_id, Limits(**body))
    return answer(WalletLimits.from_usage(usage))
