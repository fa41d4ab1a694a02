// What the storm shows: whose books, their light, the sums before and after, progress,
// speed, latencies and answers.

import { fromJson } from "./amounts.js";
import { showColumns } from "./bars.js";
import { book } from "./book.js";
import { byId, fill, fromTemplate, keep, slot } from "./dom.js";

const COUNT = new Intl.NumberFormat("en");
const PROBLEMS_MAX = 100; // that one audit lists
const BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500]; // milliseconds, the last is open
const NOTHING = {
  figures: { answered: 0, milliseconds: 0, latencies: [...BOUNDS, null].map(() => 0), answers: {} },
  transfers: 1,
  audits: 0,
};

/** Show this server's own books: an audit, its sum as that before a storm, and no storm. */
export function showOwnBooks(audit) {
  showSubject(true);
  showNoStorm();
  showAudit(audit);
  showSums({ sumBefore: audit.currencies.INR?.balances ?? 0, sumAfter: null, locks: true });
}

/** Say whose books are shown: this server's, or those of a service without locks. */
export function showSubject(hasLocks) {
  setText("subject", hasLocks ? "This server" : "A service without locks, in a process of its own");
  byId("storm").classList.toggle("unlocked", !hasLocks);
}

/** Show an audit: whether the books balance, and what is wrong with them. */
export function showAudit({ balanced, wallets, transactions, problems }) {
  const count = `${COUNT.format(wallets)} wallets, ${COUNT.format(transactions)} transactions`;
  const wrong = typeof problems === "number"
    ? `${count}: the audit finds ${problemsWords(problems)}.`
    : problems.map(({ detail }) => detail).join(" ");
  setText("books-words", balanced ? "The books balance" : "The books do not balance");
  setText("books-detail", balanced ? `${count}, every one of them proved.` : wrong);
  byId("books").dataset.state = balanced ? "balanced" : "broken";
}

/** Count problems, of which an audit lists so many at most. */
function problemsWords(count) {
  if (count >= PROBLEMS_MAX) return `${PROBLEMS_MAX} problems or more`;
  return count === 1 ? "one problem" : `${count} problems`;
}

export function showNoAudit(words, detail = "") {
  setText("books-words", words);
  setText("books-detail", detail);
  byId("books").dataset.state = "unknown";
}

function showSums({ sumBefore, sumAfter, locks }) {
  const [before, after] = [sumBefore, sumAfter].map((sum) => (sum === null ? null : fromJson(sum)));
  const money = (minor) => (minor === null ? "–" : book.money(minor, "INR"));
  setText("sum-before", money(before));
  setText("sum-after", money(after));
  const isKnown = before !== null && after !== null;
  const difference = isKnown ? after - before : 0n;
  byId("sum-after").dataset.state = !isKnown ? "" : difference === 0n ? "same" : "other";
  setText("sum-words", isKnown ? sumWords(difference, locks) : "");
}

/** Say what the difference of the sums means. */
export function sumWords(difference, hasLocks) {
  if (difference === 0n) return "The same to the paisa.";
  const money = book.money(difference < 0n ? -difference : difference, "INR");
  if (!hasLocks) return `${money} ${difference < 0n ? "has vanished" : "came from nowhere"}.`;
  return `${money} of difference: money came or went by other actions meanwhile.`;
}

/** Show how far a storm has come, by the server's report. */
export function showStorm(report) {
  const { audit, locks } = report;
  showSubject(locks);
  if (audit) showAudit(audit);
  else if (!locks) showNoAudit("The books were not audited yet");
  showSums(report);
  setText("storm-words", progressWords(report));
  showFigures(report);
}

/** Show that no storm was made yet. */
export function showNoStorm() {
  setText("storm-words", "Ready.");
  showFigures(NOTHING);
}

function showFigures({ figures, transfers, audits, balanced }) {
  const { answered, milliseconds } = figures;
  const progress = byId("storm-progress");
  progress.max = transfers;
  progress.value = answered;
  const rate = Math.round((answered * 1000) / Math.max(1, milliseconds));
  setText("figure-rate", answered ? COUNT.format(rate) : "–");
  setText("figure-audits", audits ? `${COUNT.format(balanced)} of ${COUNT.format(audits)}` : "–");
  for (const share of ["p50", "p95", "p99"]) {
    const time = (figures[`${share}Microseconds`] / 1000).toFixed(1);
    setText(`figure-${share}`, answered ? `${time} ms` : "–");
  }
  showColumns(byId("latencies"), columnsOf(figures.latencies));
  showAnswers(Object.entries(figures.answers));
}

function progressWords({ state, figures, transfers, problem }) {
  const { answered, milliseconds } = figures;
  const count = `${COUNT.format(answered)} of ${COUNT.format(transfers)} transfers`;
  switch (state) {
    case "STARTING":
      return "The clients’ process starts.";
    case "RUNNING":
      return `${count} answered`;
    case "DONE":
      return `Done: ${count} in ${(milliseconds / 1000).toFixed(1)} seconds.`;
    case "STOPPED":
      return `Stopped after ${count}. ${problem}`.trim();
    default:
      return `${problem} Stopped after ${count}.`;
  }
}

function columnsOf(counts) {
  return counts.map((count, index) => ({ label: labelOf(index), count }));
}

function labelOf(index) {
  return index === BOUNDS.length ? `${BOUNDS.at(-1)}+` : `≤${BOUNDS[index]}`;
}

function showAnswers(answers) {
  const sorted = answers.sort(([one], [other]) => one.localeCompare(other));
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
