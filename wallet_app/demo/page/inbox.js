// The webhook of this page: registering it at this very server, what its receiver got,
// and a switch that makes the receiver fail.

import { send } from "./api.js";
import { showDeliveries } from "./deliveries.js";
import { byId, fill, fromTemplate, keep, slot } from "./dom.js";
import { Outcome } from "./forms.js";
import { indentJson } from "./json.js";
import { follow } from "./state.js";
import { clockTime } from "./times.js";

const EVENTS = [
  "wallet.created",
  "wallet.frozen",
  "wallet.unfrozen",
  "transaction.created",
  "approval.requested",
  "payment.succeeded",
  "payment.failed",
  "fraud.flagged",
];
const SHOWN_MAX = 40;
const SEALS = new Map([
  [true, ["good", "Signature verified"]],
  [false, ["bad", "Signature wrong"]],
  [null, ["unknown", "No secret known"]],
]);

let webhook = null;

/** Start the inbox. `refresh` reads the state at once. */
export function startInbox(refresh) {
  const outcome = new Outcome(byId("webhook-problem"));
  follow("inbox", (inbox) => {
    webhook = inbox.webhook;
    showState(inbox.failing);
    showMessages(inbox.messages);
    showDeliveries(inbox, redeliver);
  });
  const redeliver = (path) =>
    outcome.attempt(async () => {
      await send("POST", path, {});
      await refresh();
    });
  const onClick = (id, action) =>
    byId(id).addEventListener("click", () =>
      outcome.attempt(async () => {
        await action();
        await refresh();
      }),
    );
  onClick("inbox-register", register);
  onClick("inbox-delete", forget);
  onClick("inbox-failing", () =>
    send("PUT", "/demo/inbox", { failing: byId("inbox-failing").checked }),
  );
}

async function register() {
  const url = `${location.origin}/demo/inbox`;
  const created = await send("POST", "/webhooks", { url, events: EVENTS });
  await send("PUT", "/demo/inbox", { secret: created.secret });
}

async function forget() {
  await send("DELETE", `/webhooks/${webhook.id}`);
}

function showState(isFailing) {
  byId("webhook-words").textContent = webhook
    ? `Registered: every event goes to ${webhook.url}.`
    : "Register a webhook, and this server notifies itself of what happens, signed.";
  showOneOf(byId("inbox-register"), byId("inbox-delete"), webhook === null);
  byId("inbox-failing").checked = isFailing;
}

/** Show one of two buttons; the focus goes along from the one that is hidden. */
function showOneOf(one, other, isFirst) {
  const hadFocus = document.activeElement === one || document.activeElement === other;
  one.hidden = !isFirst;
  other.hidden = isFirst;
  if (hadFocus) (isFirst ? one : other).focus();
}

function showMessages(messages) {
  byId("inbox-empty").hidden = messages.length > 0;
  const attempts = attemptsOf(messages);
  keep(byId("inbox-messages"), messages.slice(0, SHOWN_MAX), {
    key: ({ messageId, receivedAt }) => `${messageId} ${receivedAt}`,
    create: createMessage,
    update: (element, message) => {
      const attempt = attempts.get(message);
      fill(element, { again: attempt > 1 ? `attempt ${attempt}` : "" });
    },
  });
}

/** Return the number of each message's copy, newest first. */
function attemptsOf(messages) {
  const seen = new Map();
  const attempts = new Map();
  for (const message of messages.toReversed()) {
    const attempt = (seen.get(message.messageId) ?? 0) + 1;
    seen.set(message.messageId, attempt);
    attempts.set(message, attempt);
  }
  return attempts;
}

function createMessage(message) {
  const element = fromTemplate("message-template");
  const [state, words] = SEALS.get(message.verified);
  fill(element, {
    type: typeOf(message.body),
    time: clockTime(message.receivedAt),
    seal: words,
    answer: `answered ${message.answer}`,
    body: indentJson(message.body),
  });
  slot(element, "seal").classList.add(state);
  slot(element, "answer").classList.add(message.answer < 300 ? "good" : "bad");
  return element;
}

/** Anybody can post to the receiver, so a body may be anything at all. */
function typeOf(body) {
  try {
    const { type } = JSON.parse(body);
    return typeof type === "string" ? type : "no event";
  } catch {
    return "no JSON";
  }
}
