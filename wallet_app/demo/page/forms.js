// A form: what was typed, what came of it, and what is wrong with it, each where it
// belongs. A field has the name that the service has for it.

import { Refusal } from "./api.js";
import { fromJson, parseAmount } from "./amounts.js";
import { book } from "./book.js";
import { fill, fromTemplate, slot } from "./dom.js";
import { dayAndTime } from "./times.js";

/** What refusals say of money, in minor units, and how it is called. */
const FACTS = { balance: "balance", amount: "asked for", limit: "limit", remaining: "left" };

/** The place where a form, or a group of buttons, says what came of it. */
export class Outcome {
  #element = fromTemplate("outcome-template");

  constructor(parent) {
    parent.append(this.#element);
  }

  clear() {
    fill(this.#element, { result: "", problem: "" });
  }

  /** Show words, and after them a link within the page. */
  succeed(words, link) {
    fill(this.#element, { result: words, problem: "" });
    if (link) slot(this.#element, "result").append(" ", linkTo(link));
  }

  refuse(words) {
    fill(this.#element, { result: "", problem: words });
  }

  /** Run an action and show what it is refused for. Returns whether it was done. */
  async attempt(action, currency) {
    this.clear();
    try {
      await action();
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.refuse(wordsOf(error, currency));
      return false;
    }
  }
}

function linkTo({ href, words }) {
  const link = document.createElement("a");
  link.href = href;
  link.textContent = words;
  return link;
}

/** Say what was refused, with amounts also as people write them. */
export function wordsOf(refusal, currency) {
  const { problem } = refusal;
  const facts = Object.entries(FACTS)
    .filter(([name]) => currency && problem[name] !== undefined)
    .map(([name, words]) => `${words} ${book.money(fromJson(problem[name]), currency)}`);
  if (problem.resetsAt) facts.push(`resets ${dayAndTime(problem.resetsAt)}`);
  const inMoney = facts.length ? ` In money: ${facts.join(", ")}.` : "";
  return refusal.message + inMoney;
}

/**
 * Have a form call `act(form, outcome)` when it is sent. While that runs it is not sent
 * again. `currencyOf` returns the currency in which it is refused.
 */
export function onSubmit(form, act, currencyOf = () => undefined) {
  const outcome = new Outcome(form);
  form.noValidate = true; // our words stand at the field, the same in every browser
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    clearFields(form);
    outcome.clear();
    try {
      await act(form, outcome);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const others = markFields(form, error.errors);
      outcome.refuse([wordsOf(error, currencyOf()), ...others].join(" "));
    } finally {
      form.ariaBusy = "false";
    }
  });
  return outcome;
}

/** Return a field's text; undefined where it is empty, so that it is left out. */
export function textOf(form, name) {
  return form.elements[name].value.trim() || undefined;
}

/** Read a field's amount as minor units of a currency. Raises Refusal. */
export function amountOf(form, name, currency) {
  const { minor, error } = parseAmount(form.elements[name].value, book.minorDigits[currency]);
  if (error) throw fieldRefusal(name, error);
  return minor;
}

/** Read an amount that moves: there is no movement of nothing. */
export function movedAmountOf(form, currency) {
  const minor = amountOf(form, "amount", currency);
  if (minor === 0n) throw fieldRefusal("amount", "Type more than nothing.");
  return minor;
}

export function fieldRefusal(name, words) {
  return new Refusal("Please correct what is marked.", { errors: { [name]: [words] } });
}

/** Show errors at their fields; return those of fields that the form has not. */
function markFields(form, errors) {
  const others = [];
  let first = null;
  for (const [name, messages] of Object.entries(errors)) {
    const words = messages.join(" ");
    const input = form.elements[name];
    if (!(input instanceof HTMLElement)) others.push(`${name}: ${words}`);
    else first ??= markField(input, name, words);
  }
  first?.focus();
  return others;
}

function markField(input, name, words) {
  const message = document.createElement("p");
  message.className = "field-error";
  message.role = "alert";
  message.id = `${input.id}-error`;
  message.dataset.test = "field-error";
  message.dataset.field = name;
  message.textContent = words;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-errormessage", message.id);
  input.closest(".field").append(message);
  return input;
}

function clearFields(form) {
  for (const message of form.querySelectorAll(".field-error")) message.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-errormessage");
  }
}
