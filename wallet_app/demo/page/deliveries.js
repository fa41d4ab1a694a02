// What the service sends to the page's webhook, and what became of each delivery.

import { read, send } from "./api.js";
import { byId, fill, fromTemplate, keep, slot } from "./dom.js";
import { poll } from "./poll.js";
import { clockTime, secondsUntil } from "./times.js";

const SHOWN_MAX = 40;

let refresh;

/** `webhookNow()` returns the webhook there is; `outcome` shows what is refused. */
export function startDeliveries(webhookNow, outcome) {
  refresh = poll(1500, async () => {
    const webhook = webhookNow();
    const path = `/webhooks/${webhook?.id}/deliveries`;
    const deliveries = webhook ? (await read(`${path}?limit=${SHOWN_MAX}`)).deliveries : [];
    byId("deliveries-empty").hidden = deliveries.length > 0;
    keep(byId("deliveries"), deliveries, {
      key: (delivery) => delivery.id,
      create: (delivery) => createDelivery(`${path}/${delivery.id}/redeliver`, outcome),
      update: showDelivery,
    });
  });
}

function createDelivery(path, outcome) {
  const element = fromTemplate("delivery-template");
  slot(element, "redeliver").addEventListener("click", () =>
    outcome.attempt(async () => {
      await send("POST", path, {});
      await refresh();
    }),
  );
  return element;
}

function showDelivery(element, delivery) {
  const { status, attempts, answerStatus, lastError, nextAttemptAt } = delivery;
  const isWaiting = status === "PENDING";
  const answered = answerStatus === null ? "" : `, answered ${answerStatus}`;
  fill(element, {
    type: delivery.type,
    time: clockTime(delivery.createdAt),
    status,
    attempts: `${attempts} ${attempts === 1 ? "attempt" : "attempts"}${answered}`,
    next: isWaiting && nextAttemptAt ? nextWords(nextAttemptAt) : "",
    why: lastError ?? "",
  });
  slot(element, "status").dataset.status = status;
  slot(element, "redeliver").hidden = isWaiting;
}

function nextWords(nextAttemptAt) {
  const seconds = secondsUntil(nextAttemptAt);
  return seconds ? `next in ${seconds} s` : "next now";
}
