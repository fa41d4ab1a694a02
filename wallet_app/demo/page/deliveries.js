// What the service sends to the page's webhook, and what became of each delivery.

import { byId, fill, fromTemplate, keep, slot } from "./dom.js";
import { clockTime, secondsUntil } from "./times.js";

/** Show the deliveries to a webhook. `redeliver` sends one again, by its path. */
export function showDeliveries({ webhook, deliveries }, redeliver) {
  byId("deliveries-empty").hidden = deliveries.length > 0;
  keep(byId("deliveries"), deliveries, {
    key: (delivery) => delivery.id,
    create: (delivery) => createDelivery(webhook, delivery, redeliver),
    update: showDelivery,
  });
}

function createDelivery(webhook, delivery, redeliver) {
  const element = fromTemplate("delivery-template");
  const path = `/webhooks/${webhook.id}/deliveries/${delivery.id}/redeliver`;
  slot(element, "redeliver").addEventListener("click", () => redeliver(path));
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
