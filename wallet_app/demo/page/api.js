// The only place that asks the server for anything. Every action reports itself to the
// bench; what is asked again and again (`quiet`) does not.

import { readJson } from "./json.js";

const TIMEOUT_MILLISECONDS = 10_000;

/** What the server refuses to a request with this body, or the page before it. */
export class Refusal extends Error {
  constructor(detail, problem = {}, body = undefined) {
    super(detail);
    this.status = problem.status ?? 0; // 0: there was no answer
    this.code = problem.code ?? "no answer";
    this.problem = problem;
    this.body = body;
  }
}

/** Names this visit to the page, and each request that changes something. */
const visit = newKey();

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return whether a request was made by this visit to the page. */
export function isOwn({ page }) {
  return page === visit;
}

const watchers = [];

/** Have a function called with each action: {method, url, text, status, answer, ...}. */
export function watchActions(watcher) {
  watchers.push(watcher);
}

export function report(action) {
  for (const watcher of watchers) watcher(action);
}

/** Read something that is asked again and again. */
export function read(path, priority = "auto") {
  return send("GET", path, undefined, { quiet: true, priority });
}

/**
 * Send a request and return its JSON answer. Raises Refusal for an answer that is no
 * success, and where none comes. With the key of an earlier request it is the same one.
 */
export async function send(method, path, body, options = {}) {
  const { quiet = false, priority = "auto", key = newKey() } = options;
  const text = body === undefined ? undefined : JSON.stringify(body);
  const request = { method, url: location.origin + path, text };
  if (method === "POST" && !quiet) request.key = key;
  const began = performance.now();
  const answer = await exchange(path, request, { quiet, priority });
  if (!quiet) report({ ...request, ...answer, milliseconds: performance.now() - began });
  if (answer.status === 0) throw new Refusal(answer.answer);
  const content = isJson(answer) ? readJson(answer.answer) : null;
  if (answer.status >= 400) {
    throw new Refusal(content?.detail ?? answer.answer, content ?? answer, body);
  }
  return content;
}

async function exchange(path, { method, text, key }, { quiet, priority }) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MILLISECONDS);
  const headers = { "Wallet-Page": quiet ? "quiet" : visit };
  if (text !== undefined) headers["Content-Type"] = "application/json";
  if (key !== undefined) headers["Idempotency-Key"] = key;
  try {
    const options = { method, headers, body: text, signal: abort.signal, priority };
    const response = await fetch(path, options);
    const type = response.headers.get("Content-Type") ?? "";
    const replayed = response.headers.has("Idempotent-Replayed");
    return { status: response.status, type, replayed, answer: await response.text() };
  } catch {
    return { status: 0, type: "", answer: silence(abort.signal.aborted, method) };
  } finally {
    clearTimeout(timer);
  }
}

function silence(isLate, method) {
  const what = isLate ? "No answer came within 10 seconds." : "The server cannot be reached.";
  return method === "GET" ? what : `${what} Whether it acted shows in the history.`;
}

function isJson({ type }) {
  return /^application\/(problem\+)?json/.test(type);
}
