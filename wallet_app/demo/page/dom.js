// Elements out of the templates of index.html. Everything that comes from the server or
// a person is set as text, so that none of it is ever markup.

export function byId(id) {
  return document.getElementById(id);
}

/** Return a new element: the one child of a template. */
export function fromTemplate(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

/** Return the part of an element that its markup names by data-slot. */
export function slot(element, name) {
  return element.querySelector(`[data-slot="${name}"]`);
}

/** Set the texts of an element's slots. One that is empty is hidden. */
export function fill(element, texts) {
  for (const [name, text] of Object.entries(texts)) {
    const place = slot(element, name);
    // Unchanged text is left alone: screen readers would read it again.
    if (place.textContent !== text) place.textContent = text;
    place.hidden = text === "";
  }
}

/**
 * Make the children of a list those of the items, in their order. An element whose item
 * stays is kept, with its focus and what was typed into it.
 */
export function keep(list, items, { key, create, update }) {
  const old = new Map([...list.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const name = String(key(item));
    const element = old.get(name) ?? create(item);
    old.delete(name);
    element.dataset.key = name;
    update(element, item);
    if (list.children[index] !== element) {
      list.insertBefore(element, list.children[index] ?? null);
    }
  });
  for (const element of old.values()) element.remove();
}

const SVG = "http://www.w3.org/2000/svg";

/** Return a new SVG element. */
export function svg(tag, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}
