// The wallets in Express: node server.cjs NAME PORT. Where NAME is read-add-write, the
// steps of a wallet do not wait for each other; one thread does not help against that.
"use strict";

const { randomUUID } = require("node:crypto");
const { setTimeout: sleep } = require("node:timers/promises");
const express = require("express");

const [name, port] = process.argv.slice(2);
const ROUND_TRIP_MS = 1;
const wallets = new Map();
const users = new Set();
const last = new Map();

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Run a step when the earlier steps of these wallets are done.
function locked(ids, step) {
  const result = Promise.all(ids.map((id) => last.get(id))).then(step);
  const done = result.catch(() => {});
  for (const id of ids) last.set(id, done);
  return result;
}

const inTurn = name === "read-add-write" ? (ids, step) => step() : locked;

// Read, await, write: as with a database.
async function move(id, type, amount, change, referenceId = null) {
  const after = wallets.get(id).balance + change;
  await sleep(ROUND_TRIP_MS);
  if (after < 0) throw new Refused(400, "insufficient funds");
  if (after > Number.MAX_SAFE_INTEGER) throw new Refused(400, "too large");
  const wallet = wallets.get(id);
  const createdAt = new Date().toISOString();
  const made = { id: randomUUID(), walletId: id, createdAt, referenceId };
  const entry = { ...made, type, amount, balanceAfter: after };
  Object.assign(wallet, { balance: after, updatedAt: createdAt });
  wallet.entries.unshift(entry);
  return entry;
}

function find(id) {
  if (!wallets.has(id)) throw new Refused(404, "no such wallet");
  return wallets.get(id);
}

function read(body) {
  const { amount } = body ?? {};
  if (!Number.isSafeInteger(amount) || amount < 1) {
    throw new Refused(400, "amount must be a positive integer");
  }
  return body;
}

const shown = ({ entries, ...wallet }) => wallet;
const app = express();
app.use(express.json());

app.post("/wallet/create", (request, response) => {
  const { userId } = request.body ?? {};
  if (typeof userId !== "string" || !userId) throw new Refused(400, "userId?");
  if (users.has(userId)) throw new Refused(409, "this user has a wallet");
  users.add(userId);
  const id = randomUUID();
  const createdAt = new Date().toISOString();
  const dates = { createdAt, updatedAt: createdAt };
  wallets.set(id, { id, walletId: id, userId, balance: 0, ...dates, entries: [] });
  response.status(201).json(shown(wallets.get(id)));
});

app.post("/wallet/add", async (request, response) => {
  const { walletId: id, amount } = read(request.body);
  find(id);
  response.json(await inTurn([id], () => move(id, "CREDIT", amount, amount)));
});

app.post("/wallet/deduct", async (request, response) => {
  const { walletId: id, amount } = read(request.body);
  find(id);
  response.json(await inTurn([id], () => move(id, "DEBIT", amount, -amount)));
});

app.post("/wallet/transfer", async (request, response) => {
  const { fromWalletId, toWalletId, amount } = read(request.body);
  find(fromWalletId);
  const target = find(toWalletId);
  if (fromWalletId === toWalletId) throw new Refused(400, "the same wallet");
  const referenceId = randomUUID();
  const two = await inTurn([fromWalletId, toWalletId], async () => {
    if (target.balance + amount > Number.MAX_SAFE_INTEGER) {
      throw new Refused(400, "too large");
    }
    const linked = (id, type, change) => move(id, type, amount, change, referenceId);
    const from = await linked(fromWalletId, "TRANSFER_OUT", -amount);
    return { from, to: await linked(toWalletId, "TRANSFER_IN", amount) };
  });
  response.json({ referenceId, ...two });
});

app.get("/wallet/:id", async (request, response) => {
  const wallet = find(request.params.id);
  response.json(await inTurn([wallet.id], () => shown(wallet)));
});

app.get("/wallet/:id/transactions", async (request, response) => {
  const wallet = find(request.params.id);
  const { type, limit = "20", page = "1" } = request.query;
  if (![limit, page].every((each) => /^[1-9]\d{0,5}$/.test(each)) || limit > 100) {
    throw new Refused(400, "limit is 1 to 100, page is 1 or more");
  }
  const entries = await inTurn([wallet.id], () => [...wallet.entries]);
  const found = entries.filter((entry) => !type || entry.type === type);
  const start = (page - 1) * limit;
  response.json({
    transactions: found.slice(start, start + Number(limit)),
    page: Number(page),
    limit: Number(limit),
    total: found.length,
    totalPages: Math.ceil(found.length / limit),
  });
});

app.use((error, request, response, next) => {
  response.status(error.status ?? 500).json({ error: error.message });
});

const server = app.listen(Number(port), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
process.stdin.resume().on("end", () => process.exit());
