// A balance over time, as a line of steps. Places on the chart are numbers; the amounts
// that they stand for stay BigInt.

import { thousandths } from "./amounts.js";
import { svg } from "./dom.js";
import { roundMarks } from "./series.js";
import { clockTime, dayAndTime, dayOf } from "./times.js";

const HEIGHT = 260;
const MARGIN = { top: 30, right: 14, bottom: 30 };
const LABEL_Y = 14; // above the highest point
const CHARACTER_PIXELS = 7; // of the words at the left axis
const MARKS = 4;
const DAY_MILLISECONDS = 86_400_000;
const TIME_MARK_PIXELS = 130;
const MOVES = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -10,
  PageUp: 10,
};

/** A line of steps in an element, read by pointer and by keyboard. */
export class StepPlot {
  #points = []; // {at: milliseconds, minor: BigInt}, oldest first
  #money;
  #index = 0;

  constructor(place) {
    this.place = place;
    new ResizeObserver(() => this.#draw()).observe(place);
    place.addEventListener("pointermove", (event) => this.#pointAt(event));
    place.addEventListener("pointerdown", (event) => this.#pointAt(event));
    place.addEventListener("keydown", (event) => this.#step(event));
  }

  /** Draw points; `money` writes an amount. */
  show(points, money) {
    this.#points = points;
    this.#money = money;
    this.#index = Math.max(0, points.length - 1);
    this.#draw();
  }

  #draw() {
    this.place.replaceChildren();
    const points = this.#points;
    const width = this.place.clientWidth;
    this.place.setAttribute("aria-valuemin", 1);
    this.place.setAttribute("aria-valuemax", Math.max(1, points.length));
    if (points.length === 0 || width === 0) return this.#say("No movements to draw");
    this.#measure(width);
    this.canvas = svg("svg", { width, height: HEIGHT, "aria-hidden": "true" });
    this.#drawAxes();
    this.#drawLine();
    this.cursor = svg("g", { class: "cursor" });
    this.canvas.append(this.cursor);
    this.place.append(this.canvas);
    this.#mark(this.#index);
  }

  #measure(width) {
    const minors = this.#points.map((point) => point.minor);
    const most = minors.reduce((one, other) => (other > one ? other : one));
    const least = minors.reduce((one, other) => (other < one ? other : one), 0n);
    const widest = Math.max(this.#money(most).length, this.#money(least).length);
    this.scale = {
      least,
      most: most > least ? most : least + 1n,
      from: this.#points[0].at,
      until: Math.max(this.#points.at(-1).at, this.#points[0].at + 1),
      left: 12 + widest * CHARACTER_PIXELS,
      right: width - MARGIN.right,
      bottom: HEIGHT - MARGIN.bottom,
    };
  }

  #x(at) {
    const { from, until, left, right } = this.scale;
    return left + ((at - from) / (until - from)) * (right - left);
  }

  #y(minor) {
    const { least, most, bottom } = this.scale;
    return bottom - (thousandths(minor, least, most) / 1000) * (bottom - MARGIN.top);
  }

  #drawAxes() {
    const { least, most, left, right, bottom } = this.scale;
    for (const minor of roundMarks(least, most, MARKS)) {
      const y = this.#y(minor);
      this.canvas.append(
        svg("line", { class: "rule", x1: left, x2: right, y1: y, y2: y }),
        svg("text", { x: left - 10, y: y + 4, "text-anchor": "end" }, this.#money(minor)),
      );
    }
    for (const at of this.#timeMarks()) {
      const anchor = at === this.scale.from ? "start" : at === this.scale.until ? "end" : "middle";
      const place = { x: this.#x(at), y: bottom + 20, "text-anchor": anchor };
      this.canvas.append(svg("text", place, this.#timeWords(at)));
    }
    this.canvas.append(svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }));
  }

  #timeMarks() {
    const { from, until, left, right } = this.scale;
    const count = Math.max(1, Math.floor((right - left) / TIME_MARK_PIXELS));
    return Array.from({ length: count + 1 }, (_, index) => from + ((until - from) * index) / count);
  }

  #timeWords(at) {
    const isLong = this.scale.until - this.scale.from > 2 * DAY_MILLISECONDS;
    return isLong ? dayOf(at) : clockTime(at);
  }

  #drawLine() {
    let path = "";
    for (const { at, minor } of this.#points) {
      const x = this.#x(at).toFixed(1);
      const y = this.#y(minor).toFixed(1);
      path += path === "" ? `M${x} ${y}` : `H${x}V${y}`;
    }
    const { left, right, bottom } = this.scale;
    this.canvas.append(
      svg("path", { class: "area", d: `${path}V${bottom}H${left}Z` }),
      svg("path", { class: "line", d: `${path}H${right}` }),
    );
  }

  #pointAt(event) {
    if (this.#points.length === 0) return;
    const x = event.clientX - this.place.getBoundingClientRect().left;
    // The steps hold until the next point, so the latest one before the pointer counts.
    const after = this.#points.findIndex((point) => this.#x(point.at) > x);
    this.#mark(after === -1 ? this.#points.length - 1 : Math.max(0, after - 1));
  }

  #step(event) {
    const last = this.#points.length - 1;
    const ends = { Home: 0, End: last };
    const target = ends[event.key] ?? this.#index + (MOVES[event.key] ?? NaN);
    if (last < 0 || Number.isNaN(target)) return;
    event.preventDefault();
    this.#mark(Math.min(last, Math.max(0, target)));
  }

  #mark(index) {
    this.#index = index;
    const { at, minor } = this.#points[index];
    const x = this.#x(at);
    const words = `${dayAndTime(at)}: ${this.#money(minor)}`;
    this.cursor.replaceChildren(
      svg("line", { x1: x, x2: x, y1: LABEL_Y - 10, y2: this.scale.bottom }),
      svg("circle", { cx: x, cy: this.#y(minor), r: 4.5 }),
    );
    this.#label(x, words);
    this.#say(words);
  }

  /** Write the words beside the cursor, as far from the edge as they are long. */
  #label(x, words) {
    const label = svg("text", { class: "label", "data-test": "plot-label", y: LABEL_Y }, words);
    this.cursor.append(label);
    const most = this.place.clientWidth - label.getComputedTextLength();
    label.setAttribute("x", Math.max(0, Math.min(x + 8, most)));
  }

  #say(words) {
    this.place.setAttribute("aria-valuenow", this.#index + 1);
    this.place.setAttribute("aria-valuetext", words);
  }
}
