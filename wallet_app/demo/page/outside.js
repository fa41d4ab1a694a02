// What stands beside the wallets: the house's wallets, and the sandbox bank's own books.

import { fromJson } from "./amounts.js";
import { book } from "./book.js";
import { byId, fill, fromTemplate, keep } from "./dom.js";
import { follow } from "./state.js";

export function startOutside() {
  follow("outside", ({ liquidity, bank }) => {
    showLiquidity(liquidity);
    showBankBooks(bank);
  });
}

function showLiquidity(wallets) {
  const lines = wallets.map(({ currency, balance }) => [currency, balance, currency]);
  showLines("liquidity", lines, "Nothing was exchanged yet.");
}

function showBankBooks(currencies) {
  const lines = Object.entries(currencies).flatMap(([currency, { paidIn, paidOut }]) => [
    [`${currency}, paid into wallets`, paidIn, currency],
    [`${currency}, paid out of wallets`, paidOut, currency],
  ]);
  showLines("bank-books", lines, "The bank has paid nothing yet.");
}

function showLines(id, lines, empty) {
  keep(byId(id), lines.length ? lines : [[empty]], {
    key: ([name]) => name,
    create: () => fromTemplate("ledger-line-template"),
    update: (element, [name, amount, currency]) => fill(element, {
      name,
      amount: currency ? book.money(fromJson(amount), currency) : "",
    }),
  });
}
