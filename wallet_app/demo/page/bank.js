// Deposits and withdrawals, and the payments of the chosen wallet: what becomes of each is
// noted as it is seen, until it ends or is parked.

import { send } from "./api.js";
import { countText, fromJson, toJson } from "./amounts.js";
import { book } from "./book.js";
import { byId, fill, fromTemplate, keep, slot } from "./dom.js";
import { movedAmountOf, onSubmit, Outcome } from "./forms.js";
import { follow } from "./state.js";
import { clockTime, secondsUntil } from "./times.js";
import { sayDone } from "./waiting.js";

const STEPS_MAX = 20;

/** Of the chosen wallet, newest first; and what was seen of each, by its id. */
let payments = [];
let steps = new Map();
let walletId = null;
let afterMovement;

/** Start the bank's form and payments. `refresh` reads the state at once. */
export function startBank(after, refresh) {
  afterMovement = after;
  const form = byId("bank-form");
  onSubmit(form, pay);
  form.elements.direction.addEventListener("change", () => {
    const isDeposit = form.elements.direction.value === "deposit";
    form.querySelector("button").textContent = isDeposit ? "Deposit" : "Withdraw";
  });
  follow("payments", showPayments);
  book.onChange(() => {
    if (walletId === book.chosenId) return;
    walletId = book.chosenId;
    put([]);
    refresh();
  });
}

async function pay(form, outcome) {
  const { walletId, currency } = book.chosen;
  const direction = form.elements.direction.value;
  const answer = await send("POST", `/wallet/${direction}`, {
    walletId,
    amount: toJson(movedAmountOf(form, currency)),
    bankAccount: form.elements.bankAccount.value,
  });
  form.elements.amount.value = "";
  await afterMovement(answer);
  sayDone(outcome, answer, "It is on its way: see below.");
}

/** Show a payment at once, before the others are read again. */
export function showAtOnce(payment) {
  const others = payments.filter(({ id }) => id !== payment.id);
  put([payment, ...others]);
}

/** Show the payments of the chosen wallet, unless they are those of the one before. */
function showPayments({ walletId, payments: newest, total }) {
  if (walletId !== book.chosenId) return;
  put(newest);
  const isMore = total > newest.length;
  byId("payments-words").textContent = isMore ? `the latest of ${countText(total)}` : "";
}

function put(newest) {
  const before = new Map(payments.map((each) => [each.id, each]));
  payments = newest;
  const kept = newest.map((each) => [each.id, stepsOf(each, before.get(each.id))]);
  steps = new Map(kept);
  show();
}

/** Return the steps of a payment as far as they were seen. */
function stepsOf(payment, before) {
  const seen = steps.get(payment.id) ?? [];
  const isNew = payment.status !== before?.status || payment.attempts > before.attempts;
  return isNew ? [...seen, stepOf(payment, before)].slice(-STEPS_MAX) : seen;
}

function stepOf(payment, before) {
  const isRetried = before?.status === "PARKED";
  const words = isRetried ? "Retried by hand." : stepWords(payment);
  return { at: payment.updatedAt, words, status: payment.status };
}

function stepWords({ status, attempts, bankAnswer, lastError, direction }) {
  if (status === "SUCCEEDED") return "The bank has paid.";
  if (status === "PARKED") return `Parked after ${attempts} attempts: ${lastError}`;
  if (status === "FAILED") return refusedWords(direction, lastError);
  const isOut = direction === "WITHDRAWAL";
  if (attempts === 0) return isOut ? "Debited; the bank is asked." : "The bank is asked.";
  const what = bankAnswer === "UNKNOWN" ? ": no answer, so it may have paid" : " failed";
  return `Attempt ${attempts}${what}${lastError ? ` (${lastError})` : ""}`;
}

function refusedWords(direction, lastError) {
  const back = direction === "WITHDRAWAL" ? " The money was refunded." : "";
  return `The bank refuses${lastError ? `: ${lastError}` : ""}.${back}`;
}

function show() {
  byId("payments-title").hidden = payments.length === 0;
  keep(byId("payments"), payments, {
    key: ({ id }) => id,
    create: createPayment,
    update: showPayment,
  });
}

function createPayment({ id }) {
  const element = fromTemplate("payment-template");
  const outcome = new Outcome(element);
  slot(element, "retry").addEventListener("click", () =>
    outcome.attempt(async () => showAtOnce(await send("POST", `/payments/${id}/retry`, {}))),
  );
  return element;
}

function showPayment(element, payment) {
  const kind = payment.direction === "WITHDRAWAL" ? "Withdrawal" : "Deposit";
  const money = book.money(fromJson(payment.amount), payment.currency);
  fill(element, {
    what: `${kind} of ${money}, ${payment.bankAccount}`,
    status: statusWords(payment),
  });
  slot(element, "status").dataset.status = payment.status;
  slot(element, "retry").hidden = payment.status !== "PARKED";
  keep(slot(element, "steps"), steps.get(payment.id), {
    key: (step) => `${step.at} ${step.words}`,
    create: () => fromTemplate("step-template"),
    update: showStep,
  });
}

function statusWords({ status, nextAttemptAt }) {
  const wait = nextAttemptAt ? secondsUntil(nextAttemptAt) : 0;
  return status === "PENDING" && wait ? `PENDING, again in ${wait} s` : status;
}

function showStep(element, { at, words, status }) {
  fill(element, { time: clockTime(at), words });
  element.dataset.status = status;
}
