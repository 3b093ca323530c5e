// A block's timeline, drawn: a lane for each worker and for execution itself, a bar for each attempt.
//
// One bar can be reached by Tab; the arrow keys go on from there, Enter keeps it, + and - zoom.

import { arrowsOf, drawable, lanesOf, shifted, spanOf, ticks, zoomed } from "./timeline_layout.js";
import { attemptInWords } from "./words.js";
import { counted, duration } from "./format.js";
import { onceAFrame, svg } from "./dom.js";

const AXIS = 26;
const ROW = 26;
const LANE_GAP = 10;
const WAIT = 5;
const RIGHT = 12;
const NARROW = 560;
const LABEL = 92;
const LABEL_ABOVE = 16;
const MOST_STANDING_ARROWS = 40;
/** Rows drawn of one lane; more of them would hide the other lanes. */
const MOST_ROWS = 6;

export class Timeline {
  #element;
  #events;
  #lanes = [];
  #arrows = [];
  #span = { fromUs: 0, toUs: 1 };
  #view = this.#span;
  #places = new Map();
  #selected = null;
  #pointed = null;
  #focused = null;
  #critical = true;
  #draw = onceAFrame(() => this.#drawNow());
  #record = null;
  #dragged = null;
  #refocus = false;

  /** `events` has `pointed` (a bar or null) and `chosen` (a bar). */
  constructor(element, events) {
    this.#element = element;
    this.#events = events;
    new ResizeObserver(this.#draw).observe(element);
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    element.addEventListener("pointerdown", (event) => this.#grab(event));
    element.addEventListener("pointermove", (event) => this.#drag(event));
    element.addEventListener("pointerup", () => (this.#dragged = null));
    element.addEventListener("pointerleave", () => this.#point(null));
    element.addEventListener("keydown", (event) => this.#key(event));
  }

  show(record) {
    this.#record = record;
    this.#lanes = lanesOf(record);
    this.#arrows = arrowsOf(this.#lanes);
    this.#span = spanOf(record, this.#lanes);
    this.#view = this.#span;
    this.#selected = this.#pointed = this.#focused = null;
    this.#draw();
  }

  /** Marks the attempts of the transaction at a position, none for null. */
  select(position) {
    this.#selected = position;
    this.#draw();
  }

  showCritical(shown) {
    this.#critical = shown;
    this.#draw();
  }

  zoom(factor) {
    this.#zoom(factor, (this.#view.fromUs + this.#view.toUs) / 2);
  }

  fit() {
    this.#view = this.#span;
    this.#draw();
  }

  #zoom(factor, aroundUs) {
    this.#view = zoomed(this.#view, this.#span, factor, aroundUs);
    this.#draw();
  }

  get #width() {
    return Math.max(240, this.#element.clientWidth);
  }

  get #left() {
    return this.#width < NARROW ? 4 : LABEL;
  }

  get #usPerPixel() {
    return (this.#view.toUs - this.#view.fromUs) / (this.#width - this.#left - RIGHT);
  }

  #x(us) {
    return this.#left + (us - this.#view.fromUs) / this.#usPerPixel;
  }

  #drawNow() {
    if (this.#record === null) return;
    const above = this.#width < NARROW ? LABEL_ABOVE : 0;
    let y = AXIS;
    this.#places = new Map();
    const lanes = this.#lanes.map((lane) => {
      const height = above + Math.min(lane.rows, MOST_ROWS) * ROW + (lane.waits.length ? WAIT + 3 : 0);
      const drawn = this.#drawLane(lane, y, height, above);
      y += height + LANE_GAP;
      return drawn;
    });
    const height = y - LANE_GAP + 4;
    const picture = svg(
      "svg",
      { width: this.#width, height, role: "group", "aria-label": this.#summary() },
      definitions(),
      this.#drawAxis(height),
      lanes,
      svg(
        "g",
        { class: "paths", "clip-path": "url(#lanes)" },
        this.#critical ? this.#drawCriticalPath() : null,
        this.#drawArrows(),
      ),
      svg(
        "clipPath",
        { id: "lanes" },
        svg("rect", { x: this.#left - 1, y: 0, width: this.#width - this.#left - RIGHT + 2, height }),
      ),
    );
    const focused = this.#refocus || this.#element.contains(document.activeElement);
    this.#element.replaceChildren(picture);
    this.#giveTabStop(focused);
  }

  #summary() {
    const { strategy, attempts, conflicts } = this.#record;
    return `Timeline of block ${this.#record.number}: ${strategy}, ${counted(attempts, "attempt")}, ${counted(conflicts, "conflict")}`;
  }

  #drawAxis(height) {
    const marks = ticks(this.#view, Math.max(2, (this.#width - this.#left) / 90));
    return svg(
      "g",
      { class: "axis", "aria-hidden": "true" },
      marks.map((at) => [
        svg("line", { x1: this.#x(at), x2: this.#x(at), y1: AXIS - 6, y2: height }),
        svg("text", { x: this.#x(at), y: 13 }, at === 0 ? "0" : duration(at)),
      ]),
    );
  }

  #drawLane(lane, y, height, above) {
    const top = y + above;
    const name = above
      ? svg("text", { class: "lane-name", x: this.#left, y: y + 11 }, lane.name)
      : svg("text", { class: "lane-name", x: this.#left - 12, y: y + ROW / 2 + 4, "text-anchor": "end" }, lane.name);
    const ground = svg("rect", {
      class: "lane",
      x: this.#left,
      y: top,
      width: this.#width - this.#left - RIGHT,
      height: height - above,
      rx: 4,
    });
    const bars = drawable(lane.bars, this.#view, this.#usPerPixel).map((drawn) => this.#drawBar(lane, drawn, top));
    const waits = lane.waits.map((wait) => this.#drawWait(wait, y + height - WAIT - 1));
    return svg("g", {}, ground, name, svg("g", { "clip-path": "url(#lanes)" }, waits, bars));
  }

  #drawBar(lane, drawn, top) {
    const { startUs, endUs, look, critical, bars } = drawn;
    const x = this.#x(startUs);
    const y = top + Math.min(drawn.row, MOST_ROWS - 1) * ROW + 3;
    const width = Math.max(1.5, this.#x(endUs) - x - (endUs - startUs > 4 * this.#usPerPixel ? 1 : 0));
    const height = ROW - 6;
    for (const bar of bars) this.#places.set(bar, { x: x + width / 2, from: x, to: x + width, y: y + height / 2 });
    const [bar] = bars;
    const label = bars.length > 1 ? `${bars.length} attempts, zoom in to see them` : attemptInWords(bar, lane.name);
    const selected = bars.some(({ transaction }) => transaction.position === this.#selected);
    const marks = [look, critical && this.#critical ? "critical" : "", selected ? "selected" : ""];
    const element = svg("g", { class: `bar ${marks.join(" ")}`, role: "button", tabindex: -1, "aria-label": label });
    element.append(svg("rect", { x, y, width, height, rx: Math.min(3, width / 3) }));
    if (look !== "accepted")
      element.append(
        svg("rect", { x, y, width, height, rx: Math.min(3, width / 3), class: "hatch", fill: "url(#hatch)" }),
      );
    if (bars.length === 1 && width > 24)
      element.append(svg("text", { x: x + width / 2, y: y + height / 2 + 4 }, String(bar.transaction.position)));
    element.addEventListener("pointerenter", () => this.#point(bars.length === 1 ? bar : null));
    element.addEventListener("focus", () => {
      this.#focused = bar;
      this.#point(bars.length === 1 ? bar : null);
    });
    element.addEventListener("click", () => this.#choose(drawn));
    element.drawn = drawn;
    element.lane = lane;
    return element;
  }

  #drawWait({ startUs, endUs, wait }, y) {
    if (endUs < this.#view.fromUs || startUs > this.#view.toUs) return null;
    const x = this.#x(startUs);
    return svg("rect", {
      class: `wait ${wait.dependency}`,
      x,
      y,
      width: Math.max(1, this.#x(endUs) - x),
      height: WAIT,
      rx: 2,
    });
  }

  #drawCriticalPath() {
    const bars = this.#lanes
      .flatMap(({ bars }) => bars.filter(({ critical }) => critical))
      .sort((one, other) => one.startUs - other.startUs);
    const places = bars.map((bar) => this.#places.get(bar)).filter(Boolean);
    const links = places.slice(1).map((place, index) => curve(places[index].to, places[index].y, place.from, place.y));
    return svg("path", { class: "critical-path", d: links.join("") });
  }

  #drawArrows() {
    const all = this.#arrows.length <= MOST_STANDING_ARROWS;
    return this.#arrows.flatMap(({ from, to, dependency }) => {
      const [start, end] = [this.#places.get(from), this.#places.get(to)];
      const active = this.#isActive(from) || this.#isActive(to);
      if (!start || !end || !(all || active)) return [];
      const d = curve(start.x, start.y, end.x, end.y + (start.y < end.y ? -9 : start.y > end.y ? 9 : 0));
      return [
        svg("path", {
          class: `arrow ${dependency}${active ? " active" : ""}`,
          d,
          "marker-end": `url(#arrow-head${active ? "-active" : ""})`,
        }),
      ];
    });
  }

  #isActive(bar) {
    const { position } = bar.transaction;
    return position === this.#selected || bar === this.#pointed || this.#pointed?.transaction.position === position;
  }

  #point(bar) {
    if (bar === this.#pointed) return;
    this.#pointed = bar;
    this.#events.pointed(bar);
    const group = this.#element.querySelector(".paths");
    group?.replaceChildren(
      ...[this.#critical ? this.#drawCriticalPath() : null, ...this.#drawArrows()].filter(Boolean),
    );
  }

  #choose(drawn) {
    if (drawn.bars.length === 1) {
      this.#refocus = true;
      this.#focused = drawn.bars[0];
      this.#events.chosen(drawn.bars[0]);
      return;
    }
    const length = drawn.endUs - drawn.startUs;
    this.#view = shifted({ fromUs: drawn.startUs - length / 8, toUs: drawn.endUs + length / 8 }, this.#span, 0);
    this.#draw();
  }

  #giveTabStop(focused) {
    const bars = [...this.#element.querySelectorAll(".bar")];
    const holding = (wanted) => bars.find((element) => element.drawn.bars.some(wanted));
    const stop =
      holding((bar) => bar === this.#focused) ??
      holding((bar) => bar.transaction.position === this.#selected) ??
      bars[0];
    stop?.setAttribute("tabindex", "0");
    this.#refocus = false;
    if (focused) stop?.focus({ preventScroll: true });
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const element = event.target.closest(".bar");
    const zooms = { "+": 0.5, "=": 0.5, "-": 2 };
    if (event.key in zooms) this.zoom(zooms[event.key]);
    else if (event.key === "0") this.fit();
    else if (element && (event.key === "Enter" || event.key === " ")) this.#choose(element.drawn);
    else if (element && event.key.startsWith("Arrow")) this.#move(element, event.key);
    else return;
    event.preventDefault();
  }

  #move(element, key) {
    const bars = [...this.#element.querySelectorAll(".bar")];
    const lane = bars.filter((other) => other.lane === element.lane);
    let next;
    if (key === "ArrowRight") next = lane[lane.indexOf(element) + 1];
    else if (key === "ArrowLeft") next = lane[lane.indexOf(element) - 1];
    else {
      const index = this.#lanes.indexOf(element.lane) + (key === "ArrowDown" ? 1 : -1);
      const near = (other) => Math.abs(other.drawn.startUs - element.drawn.startUs);
      next = bars.filter((other) => other.lane === this.#lanes[index]).sort((one, other) => near(one) - near(other))[0];
    }
    if (!next) return;
    element.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  }

  #wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const x = event.clientX - this.#element.getBoundingClientRect().left;
    this.#zoom(event.deltaY < 0 ? 0.8 : 1.25, this.#view.fromUs + (x - this.#left) * this.#usPerPixel);
  }

  #grab(event) {
    if (event.pointerType === "mouse" && event.button === 0 && this.#view !== this.#span) this.#dragged = event.clientX;
  }

  #drag(event) {
    if (this.#dragged === null || event.buttons === 0) return;
    this.#view = shifted(this.#view, this.#span, (this.#dragged - event.clientX) * this.#usPerPixel);
    this.#dragged = event.clientX;
    this.#draw();
  }
}

/** From one point to another, leaving and arriving level. */
function curve(x1, y1, x2, y2) {
  const bend = Math.max(14, Math.abs(x2 - x1) / 2);
  return y1 === y2 && Math.abs(x2 - x1) < 4
    ? `M${x1} ${y1}L${x2} ${y2}`
    : `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

function definitions() {
  const head = (id) =>
    svg(
      "marker",
      { id, viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 6, markerHeight: 6, orient: "auto" },
      svg("path", { d: "M0 0L8 4L0 8z", class: id }),
    );
  const hatch = svg(
    "pattern",
    { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 2.5, height: 6 }),
  );
  return svg("defs", {}, head("arrow-head"), head("arrow-head-active"), hatch);
}
