// Who there is, which wallets they have, and which of them is chosen: what the parts of
// the page share. It reports each change by the event "change",
// and that the server has begun a new ledger by "ledger".

import { read } from "./api.js";
import { formatAmount, fromJson } from "./amounts.js";

const PAGES_MAX = 3; // of a hundred wallets each
const STRANGERS_MAX = 20;

class Book extends EventTarget {
  people = [];
  wallets = new Map();
  minorDigits = {};
  exchanges = {}; // by currency: those that there is a rate to
  chosenId = null;
  #ledger = null;

  async load() {
    const { minorDigits, exchanges } = await read("/demo/currencies");
    Object.assign(this, { minorDigits, exchanges });
    await this.refresh();
  }

  async refresh() {
    const { people, ledger } = await read("/demo/people", "high");
    const isOther = this.#ledger !== null && ledger !== this.#ledger;
    this.#ledger = ledger;
    nameApart(people);
    const all = await readWallets();
    this.people = [...people, ...strangersAmong(all, people)];
    this.wallets = new Map();
    for (const person of this.people) {
      const own = all.filter(({ userId }) => userId === person.userId);
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

/** Read the wallets, oldest first: the newest and, of very many, the oldest. */
async function readWallets() {
  const wallets = new Map();
  let last = 1;
  for (let page = 1; page <= Math.min(last, PAGES_MAX); page += 1) {
    const number = page === PAGES_MAX ? last : page;
    const answer = await read(`/wallets?limit=100&page=${number}`, "high");
    for (const each of answer.wallets) wallets.set(each.walletId, each);
    last = answer.totalPages;
  }
  return [...wallets.values()].reverse();
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

/** Number the people whose names look the same: Asha Rao, Asha Rao (2). */
function nameApart(people) {
  const taken = new Set();
  for (const person of people) {
    const own = person.name;
    for (let number = 2; taken.has(lookOf(person.name)); number += 1) {
      person.name = `${own} (${number})`;
    }
    taken.add(lookOf(person.name));
  }
}

function lookOf(name) {
  return name.normalize("NFKC").toLowerCase().replace(/[\s\p{Cf}]+/gu, " ").trim();
}

export const book = new Book();
