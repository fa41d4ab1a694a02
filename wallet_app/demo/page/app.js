// The page, wired: which part is notified of what.

import { read, Refusal, send } from "./api.js";
import { follow, startBank } from "./bank.js";
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
import { startMoves } from "./moves.js";
import { startOutside } from "./outside.js";
import { startPhone } from "./phone.js";
import { poll } from "./poll.js";
import { rupees, showAudit, showNoAudit, showSums } from "./readout.js";
import { startSelects } from "./selects.js";
import { startCategories } from "./slugs.js";
import { isStorming, startStorm } from "./storm-form.js";
import { startTabs } from "./tabs.js";
import { startWallets } from "./wallets.js";

const BALANCES_MILLISECONDS = 1500;

let refreshBook;
let refreshPhone;
let isAway = false;

/** What follows an action: the balances, and whatever else its answer is about. */
async function after(answer) {
  if (answer?.direction) follow(answer); // a payment
  if (answer?.approvalId) await refreshPhone();
  await refreshBook();
}

async function lookAtBook() {
  try {
    if (book.people.length === 0) await book.load();
    else await book.refresh();
    byId("connection").hidden = true;
    if (isAway) await lookAtBooks();
    isAway = false;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    byId("connection").textContent = `${error.message} The page goes on trying.`;
    byId("connection").hidden = false;
    isAway = true;
    showNoAudit("The server does not answer.");
    throw error;
  }
}

/** Show whether the books balance, of the ledger that there is now. */
async function lookAtBooks() {
  const audit = await read("/audit");
  showAudit(audit);
  showSums(rupees(audit), null);
}

async function sayLedgerIsNew() {
  byId("ledger").hidden = false;
  await lookAtBooks();
}

async function reset() {
  if (!confirm("Reset the demo data? All that happened since the start is gone then.")) return;
  await send("POST", "/demo/reset", {});
  await refreshBook();
}

startBench();
startTabs(byId("tabs"));
startSelects();
startCategories();
startLimits();
startMoves(after);
startBatch(after);
startExchange(after);
startBank(after);
startHistory(isStorming);
startWallets(after);
const outcome = new Outcome(byId("wallets"));
byId("reset").addEventListener("click", () => outcome.attempt(reset));
byId("ledger-close").addEventListener("click", () => {
  byId("ledger").hidden = true;
  byId("main").focus();
});
book.addEventListener("ledger", () => outcome.attempt(sayLedgerIsNew));
refreshBook = poll(BALANCES_MILLISECONDS, lookAtBook);
// These write amounts at once, so they wait until the currencies are known.
const startOthers = () => {
  refreshPhone = startPhone(after);
  startInbox();
  startOutside();
  startFraud();
  startStorm(refreshBook);
};
book.addEventListener("change", startOthers, { once: true });
