// What the service refuses, in words for people: from the problem's code and its values.

import { fromJson } from "./amounts.js";
import { book } from "./book.js";
import { dayAndTime } from "./times.js";

/** Why a movement needs a code, or is blocked. */
export const REASONS = {
  "approval-threshold": "It is above the wallet’s own threshold.",
  velocity: "Many movements in a short time.",
  spike: "Far more than this wallet usually sends.",
  "new-payee": "A large first transfer to this wallet.",
  drain: "Most of what has just arrived leaves at once.",
  structuring: "Repeated amounts just under the threshold.",
};

const AGAIN = "Try again in a moment.";
const GONE = "It is not there any more. Reload the page.";
const NEW_QUOTE = "Get another quote.";

/** By code: what it means, of a wallet with an owner, a name and a currency. */
const WORDS = {
  insufficient_funds: ({ balance }, { owner, money }) =>
    `Not enough money: ${owner} has ${money(balance)}.`,
  balance_overflow: ({ maximum }, { owner, money }) =>
    `More than a wallet can hold: ${owner} can have ${money(maximum)} at most.`,
  limit_exceeded: limitWords,
  wallet_frozen: (_, { name }) => `Frozen: ${name} neither sends nor receives.`,
  wallet_exists: (_, { owner }) => `${owner} has a wallet in this currency already.`,
  same_wallet: () => "Choose two different wallets.",
  currency_mismatch: ({ fromCurrency, toCurrency }) =>
    `One wallet holds ${fromCurrency}, the other ${toCurrency}: use Exchange.`,
  fraud_blocked: ({ rule }) => `Blocked as suspicious. ${REASONS[rule] ?? ""}`,
  wallet_not_found: () => GONE,
  transaction_not_found: () => GONE,

  otp_invalid: ({ attemptsLeft }) => attemptsLeft
    ? `Wrong code: ${tries(attemptsLeft)} left.`
    : "Wrong code, for the last time: nothing is moved.",
  approval_required: () => "This would need a code, and a batch does not wait for one.",
  approval_not_found: () => GONE,
  approval_expired: () => "Too late: the code has expired.",
  approval_closed: () => "This was confirmed or cancelled before.",
  too_many_approvals: () => "Too many wait for a code. Confirm or cancel one of them.",
  approvals_exhausted: () => `Too many wait for a code. ${AGAIN}`,
  too_many_wrong_codes: () => "Too many wrong codes: nothing can be confirmed for now.",
  too_many_resends: () => "No more codes can be sent for this one.",

  same_currency: () => "Choose two different currencies.",
  fx_rate_unavailable: ({ fromCurrency, toCurrency }) =>
    `There is no rate from ${fromCurrency} to ${toCurrency}.`,
  amount_not_exchangeable: ({ amount, fromCurrency, toCurrency }) =>
    `${amountOf(amount, fromCurrency)} is too little or too much to exchange for ${toCurrency}.`,
  fx_liquidity_exhausted: ({ currency }) => `The house cannot exchange so much ${currency} now.`,
  quote_not_found: () => `This quote is not there any more. ${NEW_QUOTE}`,
  quote_mismatch: () => `This quote is for another exchange. ${NEW_QUOTE}`,
  quote_used: () => `This quote is used. ${NEW_QUOTE}`,
  quote_expired: () => `This quote has expired. ${NEW_QUOTE}`,
  quotes_exhausted: () => `Too many quotes wait to be used. ${AGAIN}`,

  payment_not_found: () => GONE,
  payment_not_parked: () => "This payment is not parked: it goes on by itself.",
  payments_exhausted: () => `Too many payments are on their way. ${AGAIN}`,

  webhook_not_found: () => GONE,
  delivery_not_found: () => GONE,
  too_many_webhooks: () => "There are as many webhooks as there may be. Delete one first.",
  too_many_webhooks_of_caller: () => "You have as many webhooks as you may. Delete one first.",
  not_redeliverable: () => "This cannot be delivered again now.",
  too_many_redeliveries: () => "This was delivered again as often as it may be.",
  url_not_allowed: () => "Webhooks are not sent to this address.",
  threads_exhausted: () => `The server is busy. ${AGAIN}`,

  invalid_request: () => "The service does not take this. Reload the page, and try again.",
  invalid_idempotency_key: () => "The service does not take this. Reload the page.",
  idempotency_key_reused: () => "This was sent before, as something else.",
  idempotency_in_progress: () => `The first one is still running. ${AGAIN}`,
  idempotency_keys_exhausted: () => `The server is busy. ${AGAIN}`,
  too_many_people: () => "There are as many people as the page shows.",
  storm_running: () => "A storm is running: stop it first.",
};

/** At which field of a form a code is shown, where the form has it. */
const PLACES = {
  insufficient_funds: "amount",
  balance_overflow: "amount",
  limit_exceeded: "amount",
  amount_not_exchangeable: "amount",
  currency_mismatch: "toWalletId",
  fx_rate_unavailable: "toWalletId",
  same_wallet: "toWalletId",
  wallet_exists: "currency",
  otp_invalid: "otp",
};

const TEXT = "without control characters";
const SHAPES = {
  name: `Type a name of at most 60 characters, ${TEXT}.`,
  reason: `Type a reason of at most 200 characters, ${TEXT}.`,
  description: `Type at most 500 characters, ${TEXT}.`,
};

/** Say what was refused; of which wallet, where neither request nor answer says it. */
export function wordsOf({ message, code, problem, body }, walletId) {
  const words = WORDS[code];
  if (!words) return message;
  const id = problem.walletId ?? body?.fromWalletId ?? body?.walletId ?? walletId;
  return words(problem, subjectOf(book.wallets.get(id)));
}

function subjectOf(wallet) {
  const { owner, currency } = wallet ?? { owner: "the wallet", currency: null };
  const money = (integer) => amountOf(integer, currency);
  return { owner, money, name: wallet ? `${owner}’s ${currency} wallet` : owner };
}

/** Return an amount in words; of an unknown currency only that there is one. */
function amountOf(integer, currency) {
  return currency ? book.money(fromJson(integer), currency) : "less";
}

/** Return what is wrong with the fields of a form: words by name. */
export function errorsOf(refusal, walletId) {
  const { code, problem } = refusal;
  if (problem.words) return problem.words;
  const names = Object.keys(problem.errors ?? {});
  if (names.length) return Object.fromEntries(names.map((name) => [name, SHAPES[name]]));
  return code in PLACES ? { [PLACES[code]]: wordsOf(refusal, walletId) } : {};
}

function limitWords({ limitName, limit, remaining, resetsAt }, { money }) {
  if (limitName === "perTransaction") {
    return `Over the limit: ${money(limit)} per transaction.`;
  }
  const period = limitName === "daily" ? "day" : "month";
  const left = `${money(remaining)} of ${money(limit)} per ${period} is left`;
  return `Over the limit: ${left} until ${dayAndTime(resetsAt)}.`;
}

function tries(count) {
  return count === 1 ? "1 try" : `${count} tries`;
}
