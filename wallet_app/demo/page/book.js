// Who there is, which wallets they have, and which of them is chosen: what the parts of
// the page share. It reports each change by the event "change",
// and that the server has begun a new ledger by "ledger".

import { read } from "./api.js";
import { formatAmount, fromJson } from "./amounts.js";

const STRANGERS_MAX = 20;

class Book extends EventTarget {
  people = [];
  wallets = new Map();
  minorDigits = {};
  exchanges = {}; // by currency: those that there is a rate to
  chosenId = null;
  #shown = null;

  get isLoaded() {
    return this.people.length > 0;
  }

  /** Read what does not change while the server runs. */
  async load() {
    const { minorDigits, exchanges } = await read("/demo/currencies");
    Object.assign(this, { minorDigits, exchanges });
  }

  /** Show the people and wallets, oldest first, as the server has them now. */
  show(part) {
    if (part === this.#shown) return;
    const { people, wallets, ledger } = part;
    const isOther = this.#shown !== null && ledger !== this.#shown.ledger;
    this.#shown = part;
    this.people = [...people, ...strangersAmong(wallets, people)];
    this.wallets = new Map();
    for (const person of this.people) {
      const own = wallets.filter(({ userId }) => userId === person.userId);
      for (const each of own) this.wallets.set(each.walletId, walletOf(each, person));
    }
    if (!this.wallets.has(this.chosenId)) {
      this.chosenId = this.wallets.keys().next().value ?? null;
    }
    this.#notify();
    if (isOther) this.dispatchEvent(new Event("ledger"));
  }

  choose(walletId) {
    if (walletId === this.chosenId || !this.wallets.has(walletId)) return;
    this.chosenId = walletId;
    this.#notify();
  }

  get chosen() {
    return this.wallets.get(this.chosenId);
  }

  walletsIn(currency) {
    return [...this.wallets.values()].filter((wallet) => wallet.currency === currency);
  }

  ownerOf(walletId) {
    return this.wallets.get(walletId)?.owner ?? "another wallet";
  }

  /** Return how a wallet is called. */
  nameOf(walletId) {
    const wallet = this.wallets.get(walletId);
    return wallet ? `${wallet.owner}, ${wallet.currency}` : "another wallet";
  }

  /** Write an amount of minor units with its currency. */
  money(minor, currency) {
    return formatAmount(minor, currency, this.minorDigits[currency]);
  }

  onChange(listener) {
    this.addEventListener("change", listener);
  }

  #notify() {
    this.dispatchEvent(new Event("change"));
  }
}

/** Return the users that the page has no name of, who came over the API; the newest. */
function strangersAmong(wallets, people) {
  const known = new Set(people.map(({ userId }) => userId));
  const others = new Set(wallets.map(({ userId }) => userId).filter((id) => !known.has(id)));
  const newest = [...others].slice(-STRANGERS_MAX);
  return newest.map((userId) => ({ userId, name: `User ${userId.slice(0, 8)}` }));
}

function walletOf(answer, person) {
  return { ...answer, balance: fromJson(answer.balance), owner: person.name };
}

export const book = new Book();
