"""The wallets in FastAPI. It runs in a virtual environment of its own."""

from typing import Annotated

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from tests.benchmarks.peers import ledger
from tests.benchmarks.peers.ledger import AMOUNT_MAX, Json, Ledger, Refused

Uuid = Annotated[str, Field(pattern=ledger.UUID)]

app = FastAPI()
wallets = Ledger()


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class CreateBody(Body):
    userId: Uuid
    currency: Annotated[str, Field(pattern=ledger.CURRENCY)] | None = None


class Details(Body):
    amount: Annotated[int, Field(ge=1, le=AMOUNT_MAX)]
    category: Annotated[str, Field(pattern=ledger.CATEGORY)] | None = None
    description: Annotated[str, Field(pattern=ledger.DESCRIPTION)] | None = None


class AddBody(Details):
    walletId: Uuid


class TransferBody(Details):
    fromWalletId: Uuid
    toWalletId: Uuid


@app.get("/health")
async def health() -> Json:
    return {"status": "ok"}


@app.post("/wallet/create", status_code=201)
async def create(body: CreateBody) -> Json:
    return wallets.create(body.userId, body.currency)


@app.post("/wallet/add")
async def add(body: AddBody) -> Json:
    return wallets.add(body.walletId, body.amount, body.category, body.description)


@app.post("/wallet/transfer")
async def transfer(body: TransferBody) -> Json:
    return wallets.transfer(
        body.fromWalletId,
        body.toWalletId,
        body.amount,
        body.category,
        body.description,
    )


@app.exception_handler(Refused)
async def refused(request: Request, error: Refused) -> JSONResponse:
    return JSONResponse(error.problem, error.status)


@app.exception_handler(RequestValidationError)
async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    return JSONResponse({"status": 400, "code": "invalid_request"}, 400)
