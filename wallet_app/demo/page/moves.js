// Add, deduct, transfer, freeze.

import { send } from "./api.js";
import { toJson } from "./amounts.js";
import { book } from "./book.js";
import { byId } from "./dom.js";
import { categoryOf, movedAmountOf, onSubmit, receiverOf, requiredTextOf, textOf } from "./forms.js";
import { sayDone } from "./waiting.js";

/** Start the forms. `after` runs after each action, with its answer. */
export function startMoves(after) {
  for (const name of ["add", "deduct"]) {
    const act = (form, outcome) => moveOne(name, form, outcome, after);
    onSubmit(byId(`${name}-form`), act);
  }
  onSubmit(byId("transfer-form"), (form, outcome) => transfer(form, outcome, after));
  onSubmit(byId("freeze-form"), (form, outcome) => freeze(form, outcome, after));
  book.onChange(showFreeze);
}

async function moveOne(name, form, outcome, after) {
  const { walletId, currency } = book.chosen;
  const amount = movedAmountOf(form, currency);
  const answer = await send("POST", `/wallet/${name}`, {
    walletId,
    amount: toJson(amount),
    category: categoryOf(form),
    description: textOf(form, "description"),
  });
  const done = name === "add" ? "Added" : "Deducted";
  form.elements.amount.value = ""; // so that Enter does not send it twice
  await after(answer);
  sayDone(outcome, answer, `${done} ${book.money(amount, currency)}.`);
}

async function transfer(form, outcome, after) {
  const { walletId, currency } = book.chosen;
  const amount = movedAmountOf(form, currency);
  const toWalletId = receiverOf(form);
  const answer = await send("POST", "/wallet/transfer", {
    fromWalletId: walletId,
    toWalletId,
    amount: toJson(amount),
    category: categoryOf(form),
    description: textOf(form, "description"),
  });
  form.elements.amount.value = "";
  await after(answer);
  sayDone(outcome, answer, `${book.money(amount, currency)} went to ${book.nameOf(toWalletId)}.`);
}

async function freeze(form, outcome, after) {
  const { walletId, status } = book.chosen;
  const isFrozen = status === "FROZEN";
  const body = isFrozen ? {} : { reason: requiredTextOf(form, "reason") };
  const path = `/wallet/${walletId}/${isFrozen ? "unfreeze" : "freeze"}`;
  const answer = await send("POST", path, body);
  form.reset();
  await after(answer);
  outcome.succeed(isFrozen ? "Unfrozen." : "Frozen: it neither sends nor receives now.");
}

function showFreeze() {
  const wallet = book.chosen;
  if (!wallet) return;
  const isFrozen = wallet.status === "FROZEN";
  byId("freeze-words").textContent = isFrozen
    ? `Frozen: ${wallet.frozenReason}. It neither sends nor receives.`
    : "A frozen wallet neither sends nor receives. A refund still arrives.";
  byId("freeze-reason-field").hidden = isFrozen;
  byId("freeze-submit").textContent = isFrozen ? "Unfreeze" : "Freeze";
}
