// The fraud rules: which wallets they watch, where each begins to see fraud, and what they
// have flagged.

import { send } from "./api.js";
import { countText, fromJson } from "./amounts.js";
import { book } from "./book.js";
import { byId, fill, fromTemplate, keep, slot } from "./dom.js";
import { Outcome } from "./forms.js";
import { follow } from "./state.js";
import { clockTime } from "./times.js";

/** What each rule looks for, by its thresholds `t`. */
const RULES = [
  ["velocity", (t) => `More than ${countText(t.velocityCount)} movements out in ${t.velocitySeconds} seconds: blocked.`],
  ["spike", (t) => `${t.spikeFactor} times the average, after ${t.spikeCount} movements out: needs a code.`],
  ["new-payee", (t, money) => `A first transfer to a wallet, of ${money(t.newPayeeAmount)} or more: needs a code.`],
  ["drain", (t, money) => `${t.drainPercent} % of ${money(t.drainAmount)} or more that came within ${t.drainSeconds / 60} minutes leaves at once: needs a code.`],
  ["structuring", (t) => `${t.structuringCount} amounts of at least ${t.structuringPercent} % of the code’s threshold: needs a code.`],
];
const VERDICTS = { review: "needs a code", block: "blocked" };

/** Start the fraud rules. `refresh` reads the state at once. */
export function startFraud(refresh) {
  const outcome = new Outcome(byId("fraud-problem"));
  let shown;
  const show = (fraud) => {
    shown = fraud;
    byId("fraud-watched").checked = fraud.watched.includes(book.chosenId);
    showRules(fraud.thresholds);
    showAlerts(fraud.alerts);
  };
  follow("fraud", show);
  book.onChange(() => shown && show(shown));
  byId("fraud-watched").addEventListener("change", () => outcome.attempt(() => watch(refresh)));
}

async function watch(refresh) {
  const body = { walletId: book.chosenId, watched: byId("fraud-watched").checked };
  try {
    await send("PUT", "/demo/fraud", body);
  } finally {
    await refresh();
  }
}

function showRules(thresholds) {
  const money = (integer) => book.money(fromJson(integer), book.chosen.currency);
  keep(byId("fraud-rules"), RULES, {
    key: ([name]) => name,
    create: () => fromTemplate("rule-template"),
    update: (element, [name, words]) =>
      fill(element, { name: titleOf(name), words: words(thresholds, money) }),
  });
}

function titleOf(rule) {
  return rule[0].toUpperCase() + rule.slice(1).replace("-", " ");
}

function showAlerts(alerts) {
  byId("alerts-empty").hidden = alerts.length > 0;
  keep(byId("alerts"), alerts, {
    key: ({ id }) => id,
    create: () => fromTemplate("alert-template"),
    update: showAlert,
  });
}

function showAlert(element, { rule, verdict, walletId, toWalletId, amount, currency, createdAt }) {
  const where = toWalletId ? ` to ${book.nameOf(toWalletId)}` : "";
  const money = book.money(fromJson(amount), currency);
  fill(element, {
    rule: titleOf(rule),
    verdict: VERDICTS[verdict],
    time: clockTime(createdAt),
    words: `${money} from ${book.nameOf(walletId)}${where}`,
  });
  slot(element, "verdict").classList.toggle("bad", verdict === "block");
}
