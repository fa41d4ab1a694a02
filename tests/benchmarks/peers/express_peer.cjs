// The wallets in Express. One thread runs it, so it needs no lock.
"use strict";

const { randomUUID } = require("node:crypto");
const express = require("express");

const AMOUNT_MAX = Number.MAX_SAFE_INTEGER;

const isText = (pattern) => (value) =>
  typeof value === "string" && pattern.test(value);
const orNone = (check) => (value) => value == null || check(value);
const isUuid = isText(
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
);
const DETAILS = {
  amount: (value) =>
    Number.isInteger(value) && value >= 1 && value <= AMOUNT_MAX,
  category: orNone(isText(/^[a-z][a-z0-9-]{0,31}$/)),
  description: orNone(
    isText(/^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]{0,500}$/),
  ),
};
const CREATE = { userId: isUuid, currency: orNone(isText(/^[A-Z]{3}$/)) };
const ADD = { walletId: isUuid, ...DETAILS };
const TRANSFER = { fromWalletId: isUuid, toWalletId: isUuid, ...DETAILS };

const wallets = new Map();
const owned = new Set();

class Refused extends Error {
  constructor(status, code) {
    super(code);
    this.status = status;
    this.code = code;
  }
}

function read(body, fields) {
  const isObject = body !== null && typeof body === "object";
  if (
    !isObject ||
    Object.keys(body).some((name) => !Object.hasOwn(fields, name)) ||
    Object.keys(fields).some((name) => !fields[name](body[name]))
  ) {
    throw new Refused(400, "invalid_request");
  }
  return body;
}

function find(walletId) {
  const wallet = wallets.get(walletId.toLowerCase());
  if (wallet === undefined) throw new Refused(404, "wallet_not_found");
  return wallet;
}

function checkRoom(wallet, amount) {
  if (wallet.balance > AMOUNT_MAX - amount) {
    throw new Refused(400, "balance_overflow");
  }
}

function walletJson({ history, ...wallet }) {
  return wallet;
}

function move(wallet, type, change, id, referenceId, other, details, now) {
  wallet.balance += change;
  wallet.updatedAt = now;
  const transaction = {
    id,
    walletId: wallet.id,
    type,
    amount: Math.abs(change),
    currency: wallet.currency,
    balanceAfter: wallet.balance,
    referenceId,
    counterparty: other && {
      kind: "wallet",
      walletId: other.id,
      userId: other.userId,
    },
    category: details.category ?? null,
    description: details.description ?? null,
    createdAt: now,
  };
  wallet.history.push(transaction);
  return { wallet: walletJson(wallet), transaction };
}

const app = express();
app.use(express.json());

app.get("/health", (request, response) => {
  response.json({ status: "ok" });
});

app.post("/wallet/create", (request, response) => {
  const body = read(request.body, CREATE);
  const userId = body.userId.toLowerCase();
  const currency = body.currency ?? "INR";
  if (owned.has(`${userId} ${currency}`)) {
    throw new Refused(409, "wallet_exists");
  }
  const id = randomUUID();
  const now = new Date().toISOString();
  const wallet = {
    id,
    walletId: id,
    userId,
    currency,
    balance: 0,
    status: "ACTIVE",
    createdAt: now,
    updatedAt: now,
    history: [],
  };
  owned.add(`${userId} ${currency}`);
  wallets.set(id, wallet);
  response.status(201).json(walletJson(wallet));
});

app.post("/wallet/add", (request, response) => {
  const body = read(request.body, ADD);
  const wallet = find(body.walletId);
  checkRoom(wallet, body.amount);
  const now = new Date().toISOString();
  response.json(
    move(wallet, "CREDIT", body.amount, randomUUID(), null, null, body, now),
  );
});

app.post("/wallet/transfer", (request, response) => {
  const body = read(request.body, TRANSFER);
  const { amount } = body;
  const source = find(body.fromWalletId);
  const target = find(body.toWalletId);
  if (source === target) throw new Refused(400, "same_wallet");
  if (source.currency !== target.currency) {
    throw new Refused(400, "currency_mismatch");
  }
  if (source.balance < amount) throw new Refused(400, "insufficient_funds");
  checkRoom(target, amount);
  const now = new Date().toISOString();
  const id = randomUUID();
  const from = move(source, "TRANSFER_OUT", -amount, id, id, target, body, now);
  const to = move(target, "TRANSFER_IN", amount, randomUUID(), id, source, body, now);
  response.json({ referenceId: id, from, to });
});

// A body that is no JSON has a status, too.
app.use((error, request, response, next) => {
  const status = error.status ?? 500;
  const code = error.code ?? "invalid_request";
  response.status(status).json({ status, code });
});

const server = app.listen(0, "127.0.0.1", () => {
  console.log(`Listening at: http://127.0.0.1:${server.address().port}`);
});
