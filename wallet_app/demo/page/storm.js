// The storm itself: clients that transfer small amounts between wallets, all at once,
// and counts of what came of it. It knows no page.

import { Refusal, send } from "./api.js";

const AMOUNT_MAX = 500; // minor units: small, so that the wallets last
const SILENCES_MAX = 50; // then the server is gone, and asking on would be pointless

export class Storm {
  answers = new Map();
  milliseconds = [];
  answered = 0;
  isRunning = false;
  #started = 0;
  #silences = 0;

  constructor(walletIds, clients, transfers) {
    this.walletIds = walletIds;
    this.clients = clients;
    this.transfers = transfers;
  }

  /** Make the transfers; ends when all are answered, or soon after stop(). */
  async run() {
    this.isRunning = true;
    this.beganAt = performance.now();
    await Promise.all(Array.from({ length: this.clients }, () => this.#client()));
    this.endedAt = performance.now();
    this.isRunning = false;
  }

  stop() {
    this.isRunning = false;
  }

  get isServerGone() {
    return this.#silences >= SILENCES_MAX;
  }

  get seconds() {
    return ((this.endedAt ?? performance.now()) - this.beganAt) / 1000;
  }

  async #client() {
    while (this.isRunning && this.#started < this.transfers && !this.isServerGone) {
      this.#started += 1;
      await this.#transfer();
    }
  }

  async #transfer() {
    const began = performance.now();
    const outcome = await this.#send(randomTransfer(this.walletIds));
    this.milliseconds.push(performance.now() - began);
    this.answers.set(outcome, (this.answers.get(outcome) ?? 0) + 1);
    this.answered += 1;
  }

  /** Send a transfer; return what came of it, such as "200" or "400 insufficient_funds". */
  async #send(body) {
    this.example = body;
    try {
      const answer = await send("POST", "/wallet/transfer", body, { quiet: true, priority: "low" });
      return answer.approvalId ? "202 waits for a code" : "200 moved";
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 0) this.#silences += 1;
      return error.status === 0 ? "no answer" : `${error.status} ${error.code}`;
    }
  }
}

function randomTransfer(walletIds) {
  const from = randomBelow(walletIds.length);
  const to = (from + 1 + randomBelow(walletIds.length - 1)) % walletIds.length;
  return {
    fromWalletId: walletIds[from],
    toWalletId: walletIds[to],
    amount: 1 + randomBelow(AMOUNT_MAX),
    category: "storm",
  };
}

function randomBelow(limit) {
  return Math.floor(Math.random() * limit);
}
