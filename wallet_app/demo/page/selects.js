// The selects of wallets. Those marked "chosen" all show the chosen wallet and change it;
// "others" offers the other wallets, "foreign" those in another currency.

import { book } from "./book.js";
import { byId } from "./dom.js";

const OFFERED = {
  chosen: () => true,
  others: (wallet) => wallet.walletId !== book.chosenId,
  foreign: (wallet) => wallet.currency !== book.chosen.currency,
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
  });
}

function show(select) {
  const offered = [...book.wallets.values()].filter(OFFERED[select.dataset.wallets]);
  const options = offered.map((wallet) => [wallet.walletId, book.nameOf(wallet.walletId)]);
  setOptions(select, preferred(select, options));
  if (select.dataset.wallets === "chosen") select.value = book.chosenId ?? "";
}

/** A transfer can be made between wallets of one currency only, so those come first. */
function preferred(select, options) {
  if (select.dataset.wallets !== "others") return options;
  const isForeign = ([id]) => book.wallets.get(id).currency !== book.chosen.currency;
  return options.toSorted((one, other) => isForeign(one) - isForeign(other));
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
