// The history of the chosen wallet: page by page with filters, drawn, added up, as CSV.

import { read, send } from "./api.js";
import { countText, fromJson } from "./amounts.js";
import { showBars } from "./bars.js";
import { book } from "./book.js";
import { byId, fill, fromTemplate, keep } from "./dom.js";
import { categoryOf, onSubmit, textOf } from "./forms.js";
import { StepPlot } from "./plot.js";
import { pagesToDraw } from "./series.js";
import { dayAndTime } from "./times.js";

const PAGE = 20;
const WORDS = {
  CREDIT: "Credit",
  DEBIT: "Debit",
  TRANSFER_IN: "Transfer in",
  TRANSFER_OUT: "Transfer out",
};

/** Of payments that were credited, by id: the direction never changes. */
const directions = new Map();

let plot;
let filters = {};
let page = 1;
let totalPages = 1;
let loaded = { walletId: null, updatedAt: null };
let isLoading = false;

/** Start the history. While `isBusy()`, it does not follow what happens to the wallet. */
export function startHistory(isBusy) {
  plot = new StepPlot(byId("plot"));
  const form = byId("history-form");
  const outcome = onSubmit(form, filter);
  form.addEventListener("reset", () => setTimeout(() => form.requestSubmit()));
  for (const button of document.querySelectorAll("[data-page]")) {
    button.addEventListener("click", () => outcome.attempt(() => turn(button.dataset.page)));
  }
  book.onChange(() => follow(isBusy, outcome));
}

/** Load again when another wallet is chosen, or when this one has changed. */
async function follow(isBusy, outcome) {
  const wallet = book.chosen;
  if (!wallet || isLoading) return;
  const isOther = wallet.walletId !== loaded.walletId;
  if (!isOther && (wallet.updatedAt === loaded.updatedAt || isBusy())) return;
  if (isOther) page = 1;
  isLoading = true;
  const isLoaded = await outcome.attempt(() => load(wallet, read));
  isLoading = false;
  // It may have changed, or another one may be chosen, meanwhile.
  if (isLoaded) follow(isBusy, outcome);
}

async function filter(form) {
  filters = {
    type: textOf(form, "type"),
    category: categoryOf(form),
    from: momentOf(form, "from"),
    to: momentOf(form, "to"),
  };
  page = 1;
  await load(book.chosen, (path) => send("GET", path));
}

/** Read a field of local time as the service writes moments. */
function momentOf(form, name) {
  const text = textOf(form, name);
  return text && new Date(text).toISOString();
}

async function turn(where) {
  if (isThere(where)) return;
  const places = { first: 1, previous: page - 1, next: page + 1, last: totalPages };
  page = places[where];
  await showPage(book.chosen, (path) => send("GET", path));
}

async function load(wallet, ask) {
  loaded = wallet;
  byId("history-csv").href = pathOf(wallet, "transactions.csv", filters);
  const { from, to } = filters;
  await Promise.all([showPlot(wallet, { from, to }), showSpending(wallet, { from, to })]);
  await showPage(wallet, ask); // the last, because its form can be sent again then
}

function pathOf(wallet, what, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(given).toString();
  return `/wallet/${wallet.walletId}/${what}${query && `?${query}`}`;
}

async function showPage(wallet, ask) {
  const query = { ...filters, limit: PAGE, page };
  const answer = await ask(pathOf(wallet, "transactions", query));
  if (wallet.walletId !== book.chosenId) return;
  await Promise.all(answer.transactions.map(learnPayment));
  totalPages = Math.max(1, answer.totalPages);
  keep(byId("history-rows"), answer.transactions, {
    key: (transaction) => transaction.id,
    create: () => fromTemplate("row-template"),
    update: showRow,
  });
  const pages = `Page ${countText(page)} of ${countText(totalPages)}`;
  const { total } = answer;
  byId("history-page").textContent = total
    ? `${pages}, ${countText(total)} in all`
    : "Nothing matches.";
  showPageButtons();
}

/** A button that leads nowhere keeps the focus, so it is not disabled. */
function showPageButtons() {
  for (const button of document.querySelectorAll("[data-page]")) {
    button.ariaDisabled = String(isThere(button.dataset.page));
  }
}

function isThere(where) {
  return where === "first" || where === "previous" ? page <= 1 : page >= totalPages;
}

function showRow(row, transaction) {
  const { type, currency } = transaction;
  const isOut = type === "DEBIT" || type === "TRANSFER_OUT";
  const amount = fromJson(transaction.amount);
  fill(row, {
    when: dayAndTime(transaction.createdAt),
    ...partsOf(transaction),
    category: transaction.category ?? "",
    description: transaction.description ?? "",
    amount: (isOut ? "" : "+") + book.money(isOut ? -amount : amount, currency),
    after: book.money(fromJson(transaction.balanceAfter), currency),
  });
  row.dataset.type = type;
}

/** Learn which way a bank's payment went: a credit is a deposit or a refund. */
async function learnPayment({ counterparty, type }) {
  if (counterparty?.kind !== "bank" || type !== "CREDIT") return;
  const { paymentId } = counterparty;
  if (directions.has(paymentId)) return;
  const { direction } = await read(`/payments/${paymentId}`);
  directions.set(paymentId, direction);
}

/** Say what a transaction is, and with whom. */
function partsOf({ type, counterparty }) {
  const isOut = type === "DEBIT" || type === "TRANSFER_OUT";
  const side = isOut ? "to" : "from";
  switch (counterparty?.kind) {
    case "wallet":
      return { what: WORDS[type], with: `${side} ${book.ownerOf(counterparty.walletId)}` };
    case "exchange":
      return { what: "Exchange", with: `${side} ${book.nameOf(counterparty.walletId)}` };
    case "bank":
      return { what: bankWords(isOut, counterparty), with: `${side} ${counterparty.bankAccount}` };
    default:
      return { what: WORDS[type], with: "" };
  }
}

function bankWords(isOut, { paymentId }) {
  if (isOut) return "Withdrawal";
  return directions.get(paymentId) === "WITHDRAWAL" ? "Refund" : "Deposit";
}

async function showPlot(wallet, period) {
  const query = (page) => pathOf(wallet, "transactions", { ...period, ...page });
  const { total } = await read(query({ page: 1, limit: 1 }));
  const transactions = new Map();
  for (const each of pagesToDraw(total)) {
    for (const one of (await read(query(each))).transactions) transactions.set(one.id, one);
  }
  if (wallet.walletId !== book.chosenId) return;
  const points = [...transactions.values()].map(pointOf).sort((one, other) => one.at - other.at);
  const all = points.length === total ? "all" : `${countText(points.length)} of`;
  const count = `${all} ${countText(total)} ${total === 1 ? "movement" : "movements"}`;
  byId("plot-words").textContent = total ? count : "No movements.";
  plot.show(points, (minor) => book.money(minor, wallet.currency));
}

function pointOf({ createdAt, balanceAfter }) {
  return { at: Date.parse(createdAt), minor: fromJson(balanceAfter) };
}

async function showSpending(wallet, period) {
  const answer = await read(pathOf(wallet, "summary", period));
  if (wallet.walletId !== book.chosenId) return;
  const spent = answer.byCategory
    .map((each) => ({ name: each.category ?? "no category", minor: fromJson(each.outgoing) }))
    .filter(({ minor }) => minor > 0n)
    .sort((one, other) => (one.minor < other.minor ? 1 : -1));
  showBars(byId("spending"), spent, (minor) => book.money(minor, wallet.currency));
  byId("spending-words").textContent = spent.length ? "" : "Nothing went out.";
  const names = answer.byCategory.map(({ category }) => category).filter((name) => name !== null);
  byId("categories").replaceChildren(...names.map((name) => new Option(name)));
}
