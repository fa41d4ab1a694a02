// The selects of wallets. Those marked "chosen" all show the chosen wallet and change it;
// "receivers" offers those that a transfer can reach, "foreign" those that an exchange can.

import { book } from "./book.js";
import { byId } from "./dom.js";

const OFFERED = {
  chosen: () => true,
  receivers: ({ walletId, currency, status }) =>
    walletId !== book.chosenId && currency === book.chosen.currency && status === "ACTIVE",
  foreign: ({ currency, status }) =>
    book.exchanges[book.chosen.currency]?.includes(currency) && status === "ACTIVE",
};
const NOBODY = {
  receivers: (currency) => `No other ${currency} wallet`,
  foreign: (currency) => `No wallet that ${currency} is exchanged for`,
};

export function startSelects() {
  const selects = document.querySelectorAll("select[data-wallets]");
  for (const select of selects) {
    if (select.dataset.wallets !== "chosen") continue;
    select.addEventListener("change", () => book.choose(select.value));
  }
  book.onChange(() => {
    for (const select of selects) show(select);
    showCurrencies();
    byId("transfer-exchange").hidden = byId("quote-to").value === "";
  });
}

function show(select) {
  const offered = [...book.wallets.values()].filter(OFFERED[select.dataset.wallets]);
  const options = offered.map((wallet) => [wallet.walletId, book.nameOf(wallet.walletId)]);
  const nobody = NOBODY[select.dataset.wallets];
  if (options.length === 0 && nobody) options.push(["", nobody(book.chosen?.currency)]);
  setOptions(select, options);
  if (select.dataset.wallets === "chosen") select.value = book.chosenId ?? "";
}

/** Set a select's options, [value, words] each, and keep what is selected if it stays. */
export function setOptions(select, options) {
  const wanted = JSON.stringify(options);
  if (select.dataset.options === wanted) return;
  const selected = select.value;
  select.replaceChildren(...options.map(([value, words]) => new Option(words, value)));
  if (options.some(([value]) => value === selected)) select.value = selected;
  select.dataset.options = wanted;
}

function showCurrencies() {
  for (const place of document.querySelectorAll("[data-currency-of]")) {
    const wallet = book.wallets.get(byId(place.dataset.currencyOf).value);
    place.textContent = wallet?.currency ?? "";
  }
}
