// An exchange: a quote for a minute, and the transfer that uses it.

import { send } from "./api.js";
import { fromJson, toJson } from "./amounts.js";
import { book } from "./book.js";
import { byId } from "./dom.js";
import { movedAmountOf, onSubmit, receiverOf } from "./forms.js";
import { poll } from "./poll.js";
import { secondsUntil } from "./times.js";
import { sayDone } from "./waiting.js";

const RATE_DIGITS_SHOWN = 12; // a derived rate has 34; the whole one is on the bench

let quote = null;
let outcomeOfExchange;

export function startExchange(after) {
  onSubmit(byId("quote-form"), getQuote);
  const use = (form, outcome) => exchange(outcome, after);
  outcomeOfExchange = onSubmit(byId("exchange-form"), use);
  byId("quote-form").addEventListener("input", forget);
  book.onChange(() => quote && quote.fromWalletId !== book.chosenId && forget());
  poll(() => 250, async () => showTimeLeft());
}

async function getQuote(form, outcome) {
  const toWalletId = receiverOf(form);
  const { walletId, currency } = book.chosen;
  forget();
  const answer = await send("POST", "/fx/quotes", {
    fromCurrency: currency,
    toCurrency: book.wallets.get(toWalletId)?.currency,
    amount: toJson(movedAmountOf(form, currency)),
  });
  quote = { ...answer, fromWalletId: walletId, toWalletId };
  quote.seconds = secondsUntil(quote.expiresAt);
  show();
}

function show() {
  const { fromCurrency, toCurrency } = quote;
  byId("quote-gives").textContent = book.money(fromJson(quote.fromAmount), fromCurrency);
  byId("quote-gets").textContent = book.money(fromJson(quote.toAmount), toCurrency);
  byId("quote-rate").textContent = `1 ${fromCurrency} = ${shortRate(quote.rate)} ${toCurrency}`;
  byId("quote-meter").max = quote.seconds;
  byId("exchange-form").hidden = false;
  outcomeOfExchange.clear(); // of the exchange before
  showTimeLeft();
}

function shortRate(rate) {
  return rate.length > RATE_DIGITS_SHOWN ? `${rate.slice(0, RATE_DIGITS_SHOWN)}…` : rate;
}

function showTimeLeft() {
  if (quote === null) return;
  const left = secondsUntil(quote.expiresAt);
  byId("quote-meter").value = left;
  const words = left ? `${left} seconds left` : "It has expired: get another quote.";
  byId("quote-left").textContent = words;
  showUsable(left > 0);
}

/** The button keeps the focus, so it is not disabled. */
function showUsable(isUsable) {
  byId("exchange-form").querySelector("button").ariaDisabled = String(!isUsable);
}

function forget() {
  quote = null;
  byId("exchange-form").hidden = true;
}

async function exchange(outcome, after) {
  if (quote === null || secondsUntil(quote.expiresAt) === 0) return;
  const { quoteId, fromWalletId, toWalletId, fromAmount, toAmount, toCurrency } = quote;
  const body = { fromWalletId, toWalletId, amount: fromAmount, quoteId };
  const answer = await send("POST", "/wallet/transfer", body);
  const got = book.money(fromJson(toAmount), toCurrency);
  quote = null;
  showUsable(false);
  byId("quote-left").textContent = "This quote is used.";
  await after(answer);
  sayDone(outcome, answer, `${book.nameOf(toWalletId)} got ${got}.`);
}
