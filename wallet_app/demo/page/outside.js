// What stands beside the wallets: the house's wallets, and the sandbox bank's own books.

import { read } from "./api.js";
import { fromJson } from "./amounts.js";
import { book } from "./book.js";
import { byId, fill, fromTemplate, keep } from "./dom.js";
import { poll } from "./poll.js";

const MILLISECONDS = 2000;

export function startOutside() {
  pollWhileSeen("liquidity", MILLISECONDS, showLiquidity);
  pollWhileSeen("bank-books", MILLISECONDS, showBankBooks);
}

/** Run `work` now and then, and at once when the element with this id is seen. */
export function pollWhileSeen(id, milliseconds, work) {
  const element = byId(id);
  const refresh = poll(milliseconds, async () => {
    if (element.checkVisibility()) await work();
  });
  new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && refresh())
    .observe(element.parentElement);
  return refresh;
}

async function showLiquidity() {
  const { wallets } = await read("/fx/liquidity");
  const lines = wallets.map(({ currency, balance }) => [currency, balance, currency]);
  showLines("liquidity", lines, "Nothing was exchanged yet.");
}

async function showBankBooks() {
  const { currencies } = await read("/sandbox-bank");
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
