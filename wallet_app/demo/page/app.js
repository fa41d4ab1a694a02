// The page, wired: which part is notified of what.

import { read, Refusal, send } from "./api.js";
import { showAtOnce, startBank } from "./bank.js";
import { startBatch } from "./batch.js";
import { startBench } from "./bench.js";
import { book } from "./book.js";
import { byId } from "./dom.js";
import { startExchange } from "./exchange.js";
import { startFraud } from "./fraud.js";
import { startHistory } from "./history.js";
import { Outcome } from "./forms.js";
import { startInbox } from "./inbox.js";
import { startLimits } from "./limits.js";
import { showLosses } from "./losses.js";
import { startMoves } from "./moves.js";
import { startOutside } from "./outside.js";
import { startPhone } from "./phone.js";
import { showNoAudit, showOwnBooks } from "./readout.js";
import { startSelects } from "./selects.js";
import { startCategories } from "./slugs.js";
import { follow, startState } from "./state.js";
import { isStorming, startStorm } from "./storm-form.js";
import { startTabs } from "./tabs.js";
import { startWallets } from "./wallets.js";

let refreshState;
let isAway = true; // until the first answer

/** Read the state at once. */
function refresh() {
  return refreshState();
}

/** What follows an action: the balances, and whatever else its answer is about. */
async function after(answer) {
  if (answer?.direction) showAtOnce(answer); // a payment
  await refresh();
}

/** Look at the state; say while the server is away that it is. */
async function around(look) {
  try {
    if (!book.isLoaded) await book.load();
    await look();
    byId("connection").hidden = true;
    if (isAway) await lookAtBooks();
    isAway = false;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    byId("connection").textContent = `${error.message} The page goes on trying.`;
    byId("connection").hidden = false;
    isAway = true;
    showNoAudit("The books could not be audited", "The server does not answer.");
    throw error;
  }
}

/** Show whether the books balance, of the ledger that there is now. */
async function lookAtBooks() {
  showOwnBooks(await read("/audit"));
}

async function sayLedgerIsNew() {
  byId("ledger").hidden = false;
  showLosses({ losses: null });
  await lookAtBooks();
}

async function reset() {
  if (!confirm("Reset the demo data? All that happened since the start is gone then.")) return;
  await send("POST", "/demo/reset", {});
  await refresh();
}

startBench();
startTabs(byId("tabs"));
startSelects();
startCategories();
startLimits();
startMoves(after);
startBatch(after);
startExchange(after);
startBank(after, refresh);
startHistory(isStorming);
startWallets(after);
startPhone(after);
startInbox(refresh);
startOutside();
startFraud(refresh);
startStorm(refresh);
const outcome = new Outcome(byId("wallets"));
byId("reset").addEventListener("click", () => outcome.attempt(reset));
byId("ledger-close").addEventListener("click", () => {
  byId("ledger").hidden = true;
  byId("main").focus();
});
book.addEventListener("ledger", () => outcome.attempt(sayLedgerIsNew));
follow("book", (part) => book.show(part));
refreshState = startState(around, () => book.chosenId);
