// The storm's form: it has the server make a storm, and shows what the server reports.

import { countText } from "./amounts.js";
import { send } from "./api.js";
import { reportMany } from "./bench.js";
import { showCommand } from "./command.js";
import { byId } from "./dom.js";
import { fieldRefusal, onSubmit } from "./forms.js";
import { showLosses } from "./losses.js";
import { showAudit, showNoStorm, showOwnBooks, showStorm } from "./readout.js";
import { follow, isGoing } from "./state.js";

const LIMITS = { clients: [1, 50], transfers: [100, 10_000] };

/** The latest report; of a storm that was over before this visit, nothing is shown. */
let latest;

export function isStorming() {
  return isGoing(latest);
}

/** Start the form. `refresh` reads the state at once. */
export function startStorm(refresh) {
  const form = byId("storm-form");
  const outcome = onSubmit(form, async (_form, _outcome, button) => {
    if (isStorming()) return;
    const body = { clients: countOf(form, "clients"), transfers: countOf(form, "transfers") };
    body.locks = button?.id !== "storm-unlocked";
    await send("POST", "/demo/storm", body, { quiet: true });
    await refresh();
    byId("readout").scrollIntoView({ block: "nearest" }); // on a phone it is below
  });
  byId("storm-stop").addEventListener("click", () =>
    outcome.attempt(() => isStorming() && send("DELETE", "/demo/storm", undefined, { quiet: true })),
  );
  byId("audit-now").addEventListener("click", () => outcome.attempt(auditNow));
  showCommand(byId("judge"), `.venv/bin/python -m tests.judge ${location.origin}`);
  showNoStorm();
  follow("storm", show);
}

async function auditNow() {
  const audit = await send("GET", "/audit");
  if (byId("storm").classList.contains("unlocked")) showOwnBooks(audit);
  else showAudit(audit);
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

function show(report) {
  if (report === latest) return;
  const [before, isFirst] = [latest, latest === undefined];
  latest = report;
  setRunning(isStorming());
  if (report === null || (isFirst && !isStorming())) return;
  showStorm(report);
  showLosses(report);
  if (isGoing(before) && !isStorming()) putOnBench(report);
}

/** A button that does nothing now keeps the focus, so it is not disabled. */
function setRunning(isRunning) {
  byId("storm-stop").ariaDisabled = String(!isRunning);
  for (const id of ["storm-start", "storm-unlocked"]) byId(id).ariaDisabled = String(isRunning);
  byId("storm").classList.toggle("running", isRunning);
}

/** Put one line on the bench for all transfers of a storm on this server: a service without
 * locks has ended with its storm, and its line would be answered by nobody. */
function putOnBench({ url, clients, transfers, locks, audits, balanced, figures }) {
  const { answered, milliseconds, answers, example } = figures;
  if (!example || !locks) return;
  const words = `Storm: ${countText(answered)} of ${countText(transfers)} × POST /wallet/transfer, ${clients} clients`;
  const request = { method: "POST", url: `${url}/wallet/transfer`, text: JSON.stringify(example), milliseconds };
  const seconds = (milliseconds / 1000).toFixed(3);
  reportMany(words, request, { seconds, answers, audits: { made: audits, balanced } });
}
