// Deposits and withdrawals, and each payment on its way: what became of it is noted as
// it is seen, until it ends or is parked.

import { read, send } from "./api.js";
import { fromJson, toJson } from "./amounts.js";
import { book } from "./book.js";
import { byId, fill, fromTemplate, keep, slot } from "./dom.js";
import { movedAmountOf, onSubmit, Outcome } from "./forms.js";
import { poll } from "./poll.js";
import { clockTime, secondsUntil } from "./times.js";
import { sayDone } from "./waiting.js";

const PAYMENTS_MAX = 5;
const STEPS_MAX = 20;

/** Newest first, each {payment, steps}. */
let followed = [];
let afterMovement;

export function startBank(after) {
  afterMovement = after;
  const form = byId("bank-form");
  onSubmit(form, pay);
  form.elements.direction.addEventListener("change", () => {
    const isDeposit = form.elements.direction.value === "deposit";
    form.querySelector("button").textContent = isDeposit ? "Deposit" : "Withdraw";
  });
  poll(500, lookAtPayments);
  book.addEventListener("ledger", () => {
    followed = [];
    show();
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

/** Show a payment from now on, until newer ones take its place. */
export function follow(payment) {
  const known = followed.find((each) => each.payment.id === payment.id);
  if (known) note(known, payment);
  else followed.unshift({ payment, steps: [stepOf(payment)] });
  followed = followed.slice(0, PAYMENTS_MAX);
  show();
}

async function lookAtPayments() {
  for (const each of followed) {
    if (each.payment.status !== "PENDING") continue;
    note(each, await read(`/payments/${each.payment.id}`));
    if (each.payment.status !== "PENDING") await afterMovement();
  }
  if (followed.length) show();
}

function note(each, payment) {
  const before = each.payment;
  each.payment = payment;
  const isNew = payment.status !== before.status || payment.attempts > before.attempts;
  if (isNew) each.steps = [...each.steps, stepOf(payment, before)].slice(-STEPS_MAX);
}

function stepOf(payment, before) {
  const isRetried = before?.status === "PARKED";
  const words = isRetried ? "Taken up again by hand." : stepWords(payment);
  return { at: payment.updatedAt, words, status: payment.status };
}

function stepWords({ status, attempts, bankAnswer, lastError, direction }) {
  if (status === "SUCCEEDED") return "The bank has paid.";
  if (status === "PARKED") return `Parked after ${attempts} attempts: ${lastError}`;
  if (status === "FAILED") return refusedWords(direction, lastError);
  const isOut = direction === "WITHDRAWAL";
  if (attempts === 0) return isOut ? "Debited; the bank is asked." : "The bank is asked.";
  const what = bankAnswer === "UNKNOWN" ? "no answer, so it may have paid" : "no success";
  return `Attempt ${attempts}: ${what}${lastError ? ` (${lastError})` : ""}`;
}

function refusedWords(direction, lastError) {
  const back = direction === "WITHDRAWAL" ? " The money came back." : "";
  return `The bank refuses${lastError ? `: ${lastError}` : ""}.${back}`;
}

function show() {
  byId("payments-title").hidden = followed.length === 0;
  keep(byId("payments"), followed, {
    key: ({ payment }) => payment.id,
    create: createPayment,
    update: showPayment,
  });
}

function createPayment({ payment }) {
  const element = fromTemplate("payment-template");
  const outcome = new Outcome(element);
  slot(element, "retry").addEventListener("click", () =>
    outcome.attempt(async () => follow(await send("POST", `/payments/${payment.id}/retry`, {}))),
  );
  return element;
}

function showPayment(element, { payment, steps }) {
  const kind = payment.direction === "WITHDRAWAL" ? "Withdrawal" : "Deposit";
  const money = book.money(fromJson(payment.amount), payment.currency);
  fill(element, {
    what: `${kind} of ${money}, ${payment.bankAccount}`,
    status: statusWords(payment),
  });
  slot(element, "status").dataset.status = payment.status;
  slot(element, "retry").hidden = payment.status !== "PARKED";
  keep(slot(element, "steps"), steps, {
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
