// A form: what was typed, what came of it, and what is wrong with it, each where it
// belongs. A field has the name that the service has for it.

import { Refusal } from "./api.js";
import { parseAmount } from "./amounts.js";
import { book } from "./book.js";
import { fill, fromTemplate, slot } from "./dom.js";
import { errorsOf, wordsOf } from "./refusals.js";
import { slugOf } from "./slugs.js";

/** The place where a form, or a group of buttons, says what came of it. */
export class Outcome {
  #element = fromTemplate("outcome-template");

  constructor(parent) {
    parent.append(this.#element);
  }

  /** Changes with each thing that is said. */
  shown = 0;

  clear() {
    this.#say("", "");
  }

  /** Show words, and after them a link within the page. */
  succeed(words, link) {
    this.#say(words, "");
    if (link) slot(this.#element, "result").append(" ", linkTo(link));
  }

  refuse(words) {
    this.#say("", words);
  }

  #say(result, problem) {
    this.shown += 1;
    fill(this.#element, { result, problem });
  }

  /** Run an action and show what it is refused for. Returns whether it was done. */
  async attempt(action, walletId) {
    this.clear();
    try {
      await action();
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.refuse(wordsOf(error, walletId));
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

/**
 * Have a form call `act(form, outcome, button)` when it is sent. While that runs it is not
 * sent again. `walletIdOf` returns the wallet of which a refusal may speak.
 */
export function onSubmit(form, act, walletIdOf = () => book.chosenId) {
  const outcome = new Outcome(form);
  form.noValidate = true; // our words stand at the field, the same in every browser
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    clearFields(form);
    outcome.clear();
    try {
      await act(form, outcome, event.submitter);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const isMarked = markFields(form, errorsOf(error, walletIdOf()));
      if (!isMarked) outcome.refuse(wordsOf(error, walletIdOf()));
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
export function movedAmountOf(form, currency, name = "amount") {
  const minor = amountOf(form, name, currency);
  if (minor === 0n) throw fieldRefusal(name, "Type more than nothing.");
  return minor;
}

/** Read a field that must not be empty. */
export function requiredTextOf(form, name) {
  const text = textOf(form, name);
  if (!text) throw fieldRefusal(name, `Type a ${name}.`);
  return text;
}

/** Return the wallet that is to receive. Raises Refusal where there is none. */
export function receiverOf(form, name = "toWalletId") {
  const { value, selectedOptions } = form.elements[name];
  if (value === "") throw fieldRefusal(name, `${selectedOptions[0].text}.`);
  return value;
}

/** Read a category, as the service names it. */
export function categoryOf(form) {
  const text = textOf(form, "category");
  const slug = text && slugOf(text);
  if (slug === "") throw fieldRefusal("category", "Begin with a letter from a to z.");
  return slug;
}

export function fieldRefusal(name, words) {
  return new Refusal(words, { words: { [name]: words } });
}

/** Show errors at their fields; return whether the form has one of them. */
function markFields(form, errors) {
  const inputs = Object.entries(errors)
    .filter(([name, words]) => words && form.elements[name] instanceof HTMLElement)
    .map(([name, words]) => markField(form.elements[name], name, words));
  inputs[0]?.focus();
  return inputs.length > 0;
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
