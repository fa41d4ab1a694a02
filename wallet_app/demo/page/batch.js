// A batch: several transfers at one moment, all or none.

import { Refusal, send } from "./api.js";
import { toJson } from "./amounts.js";
import { book } from "./book.js";
import { byId } from "./dom.js";
import { fieldRefusal, movedAmountOf, onSubmit, receiverOf, textOf } from "./forms.js";
import { wordsOf } from "./refusals.js";

const LINES = [1, 2, 3];

/** Start the form. `after` runs after each batch. */
export function startBatch(after) {
  onSubmit(byId("batch-form"), (form, outcome) => transferAll(form, outcome, after));
}

async function transferAll(form, outcome, after) {
  const { walletId, currency } = book.chosen;
  const lines = LINES.filter((line) => textOf(form, `amount${line}`));
  if (lines.length === 0) throw fieldRefusal("amount1", "Type an amount.");
  const operations = lines.map((line) => ({
    type: "TRANSFER",
    fromWalletId: walletId,
    toWalletId: receiverOf(form, `toWalletId${line}`),
    amount: toJson(movedAmountOf(form, currency, `amount${line}`)),
  }));
  const answer = await send("POST", "/wallet/batch", { operations }).catch((error) => {
    throw atItsLine(error, lines, walletId);
  });
  for (const line of lines) form.elements[`amount${line}`].value = "";
  await after(answer);
  const count = lines.length === 1 ? "1 transfer was" : `${lines.length} transfers were`;
  outcome.succeed(`${count} made, at one moment.`);
}

/** Return the refusal of one operation, at the amount of its line. */
function atItsLine(error, lines, walletId) {
  if (!(error instanceof Refusal) || error.problem.operation === undefined) return error;
  const line = lines[error.problem.operation];
  const words = `${wordsOf(error, walletId)} None of the transfers was made.`;
  return fieldRefusal(`amount${line}`, words);
}
