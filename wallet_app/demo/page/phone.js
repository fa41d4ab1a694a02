// The phone of the person who must confirm: the codes that came, and what became of each.

import { send } from "./api.js";
import { fromJson } from "./amounts.js";
import { book } from "./book.js";
import { byId, fill, fromTemplate, keep, slot } from "./dom.js";
import { fieldRefusal, onSubmit } from "./forms.js";
import { poll } from "./poll.js";
import { REASONS } from "./refusals.js";
import { follow } from "./state.js";
import { clockTime, minutesText, secondsUntil } from "./times.js";
import { settle } from "./waiting.js";

const WORDS = {
  CONFIRMED: "Confirmed",
  REJECTED: "Rejected: too many wrong codes",
  CANCELLED: "Cancelled",
  EXPIRED: "Expired",
};

/** What is known of each approval, by its id: newer than its text message. */
let approvals = new Map();

let afterAction;

/** Start the phone. `after` runs after each action on it, with its answer. */
export function startPhone(after) {
  afterAction = after;
  follow("phone", look);
  poll(() => 1000, async () => {
    byId("phone-time").textContent = clockTime(Date.now()).slice(0, 5);
  });
}

function look({ messages, approvals: known }) {
  const latest = new Map(messages.toReversed().map((text) => [text.approvalId, text]));
  // The service forgets old approvals, which have expired; the phone keeps its texts.
  approvals = new Map([...latest].map(([id, text]) => [id, { ...text, status: "EXPIRED" }]));
  for (const each of known) approvals.set(each.approvalId, each);
  for (const each of approvals.values()) settle(each);
  show(messages.map((text) => ({ ...text, isLatest: latest.get(text.approvalId) === text })));
}

function show(texts) {
  byId("phone-empty").hidden = texts.length > 0;
  keep(byId("phone-messages"), texts, {
    key: (text) => `${text.approvalId} ${text.otp} ${text.expiresAt}`,
    create: createText,
    update: showText,
  });
  const waiting = [...approvals.values()].filter(({ status }) => status === "PENDING").length;
  byId("phone-count").textContent = waiting;
  byId("phone-count").hidden = waiting === 0;
}

function createText({ approvalId, otp, walletId }) {
  const element = fromTemplate("text-template");
  const form = slot(element, "form");
  const path = `/approvals/${approvalId}`;
  const act = (name, body) => send("POST", `${path}/${name}`, body).finally(() => afterAction());
  form.elements.otp.id = `code-${approvalId}-${otp}`; // which an error at the field refers to
  const confirm = async () => {
    const answer = await act("confirm", { otp: codeOf(form) });
    outcome.succeed(answer.direction ? "The payment is on its way." : "The money has moved.");
    await afterAction(answer);
  };
  const outcome = onSubmit(form, confirm, () => walletId);
  // Out of the form: it goes when all is done, and what came of it stays.
  element.append(form.lastElementChild);
  for (const name of ["resend", "cancel"]) {
    slot(element, name).addEventListener("click", () => outcome.attempt(() => act(name, {})));
  }
  return element;
}

function codeOf(form) {
  const code = form.elements.otp.value.replace(/\s/g, "");
  if (!/^[0-9]{6}$/.test(code)) throw fieldRefusal("otp", "Type the six digits of the code.");
  return code;
}

function showText(element, text) {
  const approval = approvals.get(text.approvalId);
  const isOpen = approval.status === "PENDING" && text.isLatest;
  fill(element, {
    time: clockTime(text.createdAt).slice(0, 5),
    code: text.otp,
    words: wordsOf(text),
    reason: REASONS[text.reason] ?? text.reason,
    status: statusWords(text, approval),
    resend: `New code (${approval.resendsLeft} left)`,
  });
  slot(element, "status").dataset.status = text.isLatest ? approval.status : "REPLACED";
  const form = slot(element, "form");
  if (!isOpen && form.contains(document.activeElement)) byId("phone-messages").focus();
  form.hidden = !isOpen;
  element.classList.toggle("closed", !isOpen);
}

function wordsOf({ walletId, toWalletId, amount, currency }) {
  const money = book.money(fromJson(amount), currency);
  const where = toWalletId ? ` to ${book.nameOf(toWalletId)}` : "";
  return `${money} from ${book.nameOf(walletId)}${where}.`;
}

function statusWords({ isLatest }, { status, expiresAt, attemptsLeft }) {
  if (!isLatest) return "A newer code was sent";
  if (status !== "PENDING") return WORDS[status];
  return `Waiting, ${minutesText(secondsUntil(expiresAt))} left, ${attemptsLeft} tries`;
}
