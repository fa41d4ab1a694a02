// The storm's form, and the audits that go on while it runs.

import { read, Refusal, send } from "./api.js";
import { reportMany } from "./bench.js";
import { book } from "./book.js";
import { byId } from "./dom.js";
import { fieldRefusal, onSubmit } from "./forms.js";
import { rupees, showAudit, showNoAudit, showStorm, showSums } from "./readout.js";
import { Storm } from "./storm.js";

const SHOW_MILLISECONDS = 150;
const AUDIT_MILLISECONDS = 300;
const LIMITS = { clients: [1, 50], transfers: [100, 10_000] };

let storm = null;

export function isStorming() {
  return storm !== null;
}

/** Start the form. `refresh` reads the balances at once. */
export async function startStorm(refresh) {
  const outcome = onSubmit(byId("storm-form"), (form) => run(form, refresh));
  byId("storm-stop").addEventListener("click", () => storm?.stop());
  byId("audit-now").addEventListener("click", () =>
    outcome.attempt(async () => showAudit(await send("GET", "/audit"))),
  );
  showStorm(new Storm([], 0, LIMITS.transfers[1]), { made: 0, balanced: 0 });
  await outcome.attempt(async () => {
    const audit = await read("/audit");
    showAudit(audit);
    showSums(rupees(audit), null);
  });
}

async function run(form, refresh) {
  const clients = countOf(form, "clients");
  const transfers = countOf(form, "transfers");
  const walletIds = book.walletsIn("INR").map((wallet) => wallet.walletId);
  if (walletIds.length < 2) throw new Refusal("It takes two INR wallets: open another one.");
  const audits = { made: 0, balanced: 0 };
  const before = await audit(audits);
  showSums(before, null);
  storm = new Storm(walletIds, clients, transfers);
  setRunning(true);
  byId("readout").scrollIntoView({ block: "nearest" }); // on a phone it is below
  try {
    await whileItRuns(storm, audits, refresh);
  } finally {
    finish(storm, audits);
    storm = null;
    setRunning(false);
  }
  showSums(before, await audit(audits));
  await refresh();
}

/** Read a whole number within its limits. */
function countOf(form, name) {
  const [least, most] = LIMITS[name];
  const text = form.elements[name].value.trim().replace(/,(?=[0-9]{3}$)/, "");
  const count = /^[0-9]{1,5}$/.test(text) ? parseInt(text, 10) : 0;
  if (count < least || count > most) {
    const words = `A whole number from ${least} to ${most.toLocaleString("en")}.`;
    throw fieldRefusal(name, words);
  }
  return count;
}

/** Run a storm, with its figures and the audits kept up to date. */
async function whileItRuns(storm, audits, refresh) {
  const timer = setInterval(() => showStorm(storm, audits), SHOW_MILLISECONDS);
  let isOver = false;
  const auditing = keepAuditing(audits, refresh, () => isOver);
  try {
    await storm.run();
  } finally {
    isOver = true;
    clearInterval(timer);
    await auditing;
  }
}

/** Audit again and again, one audit after the other, and never two at a time. */
async function keepAuditing(audits, refresh, isOver) {
  while (!isOver()) {
    await audit(audits).catch(nothingBut(Refusal));
    await refresh();
    await new Promise((resolve) => setTimeout(resolve, AUDIT_MILLISECONDS));
  }
}

function nothingBut(kind) {
  return (error) => {
    if (!(error instanceof kind)) throw error;
    showNoAudit(error.message);
  };
}

/** Audit once, and return the sum of all INR wallets. */
async function audit(audits) {
  const answer = await read("/audit", "high");
  audits.made += 1;
  if (answer.balanced) audits.balanced += 1;
  showAudit(answer);
  return rupees(answer);
}

function setRunning(isRunning) {
  byId("storm-stop").disabled = !isRunning;
  byId("storm-form").querySelector(".primary").disabled = isRunning;
  byId("storm").classList.toggle("running", isRunning);
}

function finish(storm, audits) {
  showStorm(storm, audits);
  if (!storm.example) return;
  const { answered, transfers, clients } = storm;
  const words = `Storm: ${answered} of ${transfers} × POST /wallet/transfer, ${clients} clients`;
  const example = {
    method: "POST",
    url: `${location.origin}/wallet/transfer`,
    text: JSON.stringify(storm.example),
    milliseconds: storm.seconds * 1000,
  };
  const seconds = storm.seconds.toFixed(3);
  reportMany(words, example, { seconds, answers: Object.fromEntries(storm.answers), audits });
}
