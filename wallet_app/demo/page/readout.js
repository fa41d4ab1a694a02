// What the storm shows: the books' light, the sums before and after, progress, speed,
// latencies and answers.

import { fromJson } from "./amounts.js";
import { showColumns } from "./bars.js";
import { book } from "./book.js";
import { byId, fill, fromTemplate, keep, slot } from "./dom.js";
import { percentile } from "./series.js";

const COUNT = new Intl.NumberFormat("en");
const BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500]; // milliseconds, the last is open

/** Show an audit; return whether the books balance. */
export function showAudit(audit) {
  const { balanced, wallets, transactions, problems } = audit;
  const count = COUNT.format(transactions);
  setText("books-words", balanced ? "The books balance" : "The books do not balance");
  setText("books-detail", balanced
    ? `${COUNT.format(wallets)} wallets, ${count} transactions, every one of them proved.`
    : problems.map(({ detail }) => detail).join(" "));
  byId("books").dataset.state = balanced ? "balanced" : "broken";
}

export function showNoAudit(words) {
  setText("books-words", "The books could not be audited");
  setText("books-detail", words);
  byId("books").dataset.state = "unknown";
}

/** Return the sum of all INR wallets in an audit. */
export function rupees(audit) {
  return fromJson(audit.currencies.INR?.balances ?? 0);
}

export function showSums(before, after) {
  const money = (minor) => (minor === null ? "–" : book.money(minor, "INR"));
  setText("sum-before", money(before));
  setText("sum-after", money(after));
  const isKnown = before !== null && after !== null;
  const isSame = before === after;
  byId("sum-after").dataset.state = isKnown && isSame ? "same" : "";
  setText("sum-words", isKnown ? sumWords(before, after) : "");
}

function sumWords(before, after) {
  if (before === after) return "The same to the paisa.";
  const difference = book.money(after - before, "INR");
  return `${difference} of difference: money came or went by other actions meanwhile.`;
}

/** Show how far a storm has come. */
export function showStorm(storm, audits) {
  const { answered, transfers } = storm;
  const progress = byId("storm-progress");
  progress.max = transfers;
  progress.value = answered;
  setText("storm-words", progressWords(storm));
  setText("figure-rate", answered ? COUNT.format(Math.round(answered / storm.seconds)) : "–");
  setText("figure-audits", audits.made ? `${audits.balanced} of ${audits.made}` : "–");
  const ascending = Float64Array.from(storm.milliseconds).sort();
  for (const [id, share] of [["p50", 0.5], ["p95", 0.95], ["p99", 0.99]]) {
    setText(`figure-${id}`, answered ? `${percentile(ascending, share).toFixed(1)} ms` : "–");
  }
  showColumns(byId("latencies"), columnsOf(ascending));
  showAnswers(storm.answers);
}

function progressWords({ isRunning, isServerGone, answered, transfers, seconds }) {
  if (!isRunning && answered === 0) return "Ready.";
  const count = `${COUNT.format(answered)} of ${COUNT.format(transfers)} transfers`;
  if (isServerGone) return `The server does not answer: stopped after ${count}.`;
  if (isRunning) return `${count} answered`;
  const end = answered < transfers ? "Stopped after" : "Done:";
  return `${end} ${count} in ${seconds.toFixed(1)} seconds.`;
}

function columnsOf(milliseconds) {
  const counts = BOUNDS.map(() => 0).concat(0);
  for (const each of milliseconds) {
    const index = BOUNDS.findIndex((bound) => each <= bound);
    counts[index === -1 ? BOUNDS.length : index] += 1;
  }
  return counts.map((count, index) => ({ label: labelOf(index), count }));
}

function labelOf(index) {
  return index === BOUNDS.length ? `${BOUNDS.at(-1)}+` : `≤${BOUNDS[index]}`;
}

function showAnswers(answers) {
  const sorted = [...answers].sort(([one], [other]) => one.localeCompare(other));
  keep(byId("answers"), sorted, {
    key: ([outcome]) => outcome,
    create: () => fromTemplate("answer-template"),
    update: (element, [outcome, count]) => {
      const [, status, words] = /^([0-9]*) ?(.*)$/.exec(outcome);
      fill(element, { status, words: words.replaceAll("_", " "), count: COUNT.format(count) });
      slot(element, "status").classList.add(status.startsWith("2") ? "good" : "bad");
    },
  });
}

function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}
