// The bench: every action as a line for a shell, with its answer, and the requests of
// other clients.

import { countText } from "./amounts.js";
import { isOwn, report, send, watchActions } from "./api.js";
import { showCommand } from "./command.js";
import { curlLine } from "./curl.js";
import { byId, fill, fromTemplate, keep, slot } from "./dom.js";
import { Outcome } from "./forms.js";
import { indentJson } from "./json.js";
import { follow } from "./state.js";

const ENTRIES_MAX = 50;
const ANSWER_LENGTH_MAX = 20_000; // characters of one answer that are shown

/** Newest first. */
let entries = [];
let count = 0;
let seen = 0; // the latest version of the server's log
let isLatestShown = true;

export function startBench() {
  byId("latest-close").addEventListener("click", () => {
    isLatestShown = false;
    byId("latest").hidden = true;
    byId("theme").focus();
  });
  watchActions((action) => {
    count += 1;
    const entry = { ...action, id: `own ${count}`, began: Date.now() };
    put(entry);
    showLatest(entry);
  });
  follow("requests", showOthers);
}

/** Put an entry in its place by time, instead of the one with its id. */
function put(entry) {
  const others = entries.filter(({ id }) => id !== entry.id);
  entries = [entry, ...others].sort((one, other) => other.began - one.began);
  entries = entries.slice(0, ENTRIES_MAX);
  show();
}

/** Show what other clients have asked the server for. */
function showOthers(requests) {
  for (const each of requests) {
    if (each.version <= seen) continue;
    seen = each.version;
    if (isOwn(each)) continue;
    const url = location.origin + each.path;
    const began = Date.parse(each.at);
    const text = each.body || undefined;
    put({ ...each, id: `other ${each.key}`, url, text, began, isOther: true });
  }
}

/** Put one line on the bench for many requests. */
export function reportMany(words, example, summary) {
  report({ ...example, words, status: 200, answer: JSON.stringify(summary), type: "json" });
}

function show() {
  byId("bench-empty").hidden = true;
  const list = byId("bench-entries");
  if (list.firstElementChild) list.firstElementChild.querySelector("details").open = false;
  keep(list, entries, { key: (entry) => entry.id, create: createEntry, update: showEntry });
}

function showLatest(newest) {
  const latest = byId("latest");
  latest.hidden = !isLatestShown;
  fill(latest, { request: whatWas(newest), status: statusWords(newest) });
  slot(latest, "status").className = `chip ${statusClass(newest)}`;
}

function createEntry(entry) {
  const element = fromTemplate("entry-template");
  fill(element, {
    what: whatWas(entry),
    status: statusWords(entry),
    other: otherWords(entry),
    replayed: entry.replayed ? "replayed: nothing ran" : "",
    time: entry.milliseconds === undefined ? "" : `${countText(Math.round(entry.milliseconds))} ms`,
    answer: answerWords(entry),
  });
  showCommand(element, curlLine(entry));
  slot(element, "status").classList.add(statusClass(entry));
  element.querySelector("details").open = true; // until the next one comes
  const again = slot(element, "again");
  again.hidden = entry.key === undefined || entry.isOther;
  const outcome = new Outcome(element);
  again.addEventListener("click", () => sendAgain(entry, outcome));
  return element;
}

function showEntry(element, { count = 1 }) {
  fill(element, { count: count > 1 ? `× ${countText(count)}` : "" });
}

/** Send the same request with the key that it had: the service answers, and runs nothing. */
async function sendAgain({ method, url, text, key }, outcome) {
  const path = url.slice(location.origin.length);
  await outcome.attempt(() => send(method, path, JSON.parse(text), { key }));
}

function whatWas({ words, method, url }) {
  return words ?? `${method} ${url.slice(new URL(url).origin.length)}`;
}

/** Say whose request it was, if it was not one of this visit to the page. */
function otherWords({ isOther, page }) {
  if (!isOther) return "";
  return page ? "another visit to this page" : "another client";
}

function statusWords({ status, words }) {
  if (words) return "summary";
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
