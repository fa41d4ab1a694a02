// The bench: every action as a line for a shell, with its answer.

import { countText } from "./amounts.js";
import { report, watchActions } from "./api.js";
import { curlLine } from "./curl.js";
import { byId, fill, fromTemplate, keep, slot } from "./dom.js";
import { indentJson } from "./json.js";

const ENTRIES_MAX = 50;
const ANSWER_LENGTH_MAX = 20_000; // characters of one answer that are shown
const COPIED_MILLISECONDS = 1500;

/** Newest first. */
let entries = [];
let count = 0;
let isLatestShown = true;

export function startBench() {
  byId("latest-close").addEventListener("click", () => {
    isLatestShown = false;
    byId("latest").hidden = true;
    byId("theme").focus();
  });
  watchActions((action) => {
    count += 1;
    entries = [{ ...action, key: count }, ...entries].slice(0, ENTRIES_MAX);
    show();
  });
}

/** Put one line on the bench for many requests. */
export function reportMany(words, example, summary) {
  report({ ...example, words, status: 200, answer: JSON.stringify(summary), type: "json" });
}

function show() {
  byId("bench-empty").hidden = true;
  const list = byId("bench-entries");
  if (list.firstElementChild) list.firstElementChild.querySelector("details").open = false;
  keep(list, entries, { key: (entry) => entry.key, create: createEntry, update: () => {} });
  showLatest(entries[0]);
}

function showLatest(newest) {
  const latest = byId("latest");
  latest.hidden = !isLatestShown;
  fill(latest, { request: whatWas(newest), status: statusWords(newest) });
  slot(latest, "status").className = `chip ${statusClass(newest)}`;
}

function createEntry(entry) {
  const element = fromTemplate("entry-template");
  const line = curlLine(entry);
  fill(element, {
    what: whatWas(entry),
    status: statusWords(entry),
    time: entry.milliseconds === undefined ? "" : `${countText(Math.round(entry.milliseconds))} ms`,
    curl: line,
    answer: answerWords(entry),
  });
  slot(element, "status").classList.add(statusClass(entry));
  element.querySelector("details").open = true; // until the next one comes
  const button = slot(element, "copy");
  button.addEventListener("click", () => copy(line, element, button));
  return element;
}

function whatWas({ words, method, url }) {
  return words ?? `${method} ${url.slice(new URL(url).origin.length)}`;
}

function statusWords({ status, words }) {
  if (words) return "summed up";
  return status === 0 ? "no answer" : String(status);
}

function statusClass({ status }) {
  return status >= 200 && status < 400 ? "good" : "bad";
}

function answerWords({ answer, type, status }) {
  if (status === 204) return "(no content)";
  const whole = type.includes("json") ? indentJson(answer) : answer;
  if (whole.length <= ANSWER_LENGTH_MAX) return whole;
  const rest = whole.length - ANSWER_LENGTH_MAX;
  return `${whole.slice(0, ANSWER_LENGTH_MAX)}\n… ${rest} more characters`;
}

async function copy(line, element, button) {
  try {
    await navigator.clipboard.writeText(line);
    button.textContent = "Copied";
  } catch {
    // The clipboard is closed to pages that came without TLS from another machine.
    getSelection().selectAllChildren(slot(element, "curl"));
    button.textContent = "Selected";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, COPIED_MILLISECONDS);
}
