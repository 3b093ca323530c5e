// A block's timeline: what is shown of it, pointed at and chosen in it.
//
// One bar can be reached by Tab; the arrow keys go on from there, Enter keeps it, + and - zoom.

import { arrowsOf, lanesOf, shifted, spanOf, zoomed } from "./timeline_layout.js";
import { drawArrows, drawCriticalPath, drawTimeline, Scale } from "./timeline_picture.js";
import { onceAFrame } from "./dom.js";

const LEAST_WIDTH = 240;
const ZOOM_KEYS = { "+": 0.5, "=": 0.5, "-": 2 };

export class Timeline {
  #element;
  #events;
  #record = null;
  #lanes = [];
  #arrows = [];
  #span = null;
  #view = null;
  #scale = null;
  #places = new Map();
  #selected = null;
  #pointed = null;
  #focused = null;
  #takeFocus = false;
  #critical = true;
  #draggedX = null;
  #draw = onceAFrame(() => this.#drawNow());

  /** `events` has `pointed` (a bar or null) and `chosen` (a bar). */
  constructor(element, events) {
    this.#element = element;
    this.#events = events;
    new ResizeObserver(this.#draw).observe(element);
    element.addEventListener("pointerover", (event) => this.#point(soleBar(event.target)));
    element.addEventListener("pointerleave", () => this.#point(null));
    element.addEventListener("focusin", (event) => this.#focus(event.target));
    element.addEventListener("click", (event) => this.#choose(event.target.closest(".bar")));
    element.addEventListener("keydown", (event) => this.#key(event));
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    element.addEventListener("pointerdown", (event) => this.#grab(event));
    element.addEventListener("pointermove", (event) => this.#drag(event));
    element.addEventListener("pointerup", () => (this.#draggedX = null));
  }

  show(record) {
    this.#record = record;
    this.#lanes = lanesOf(record);
    this.#arrows = arrowsOf(this.#lanes);
    this.#span = this.#view = spanOf(record, this.#lanes);
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

  #drawNow() {
    if (this.#record === null) return;
    this.#scale = new Scale(Math.max(LEAST_WIDTH, this.#element.clientWidth), this.#view);
    const { picture, places } = drawTimeline({
      record: this.#record,
      lanes: this.#lanes,
      scale: this.#scale,
      selected: this.#selected,
      critical: this.#critical,
    });
    this.#places = places;
    const hadFocus = this.#takeFocus || this.#element.contains(document.activeElement);
    this.#element.replaceChildren(picture);
    this.#drawPaths();
    this.#giveTabStop(hadFocus);
  }

  #drawPaths() {
    const isActive = (bar) => [this.#selected, this.#pointed?.transaction.position].includes(bar.transaction.position);
    const path = this.#critical ? [drawCriticalPath(this.#lanes, this.#places)] : [];
    const arrows = drawArrows(this.#arrows, this.#places, isActive);
    this.#element.querySelector(".paths")?.replaceChildren(...path, ...arrows);
  }

  #point(bar) {
    if (bar === this.#pointed) return;
    this.#pointed = bar;
    this.#events.pointed(bar);
    this.#drawPaths();
  }

  #focus(target) {
    const element = target.closest(".bar");
    this.#focused = element?.drawn.bars[0] ?? null;
    this.#point(soleBar(target));
  }

  /** Keeps one bar in view; goes nearer where several are drawn as one. */
  #choose(element) {
    if (element === null) return;
    const { bars, startUs, endUs } = element.drawn;
    if (bars.length === 1) {
      this.#takeFocus = true;
      this.#focused = bars[0];
      this.#events.chosen(bars[0]);
    } else {
      const margin = (endUs - startUs) / 8;
      this.#view = shifted({ fromUs: startUs - margin, toUs: endUs + margin }, this.#span, 0);
      this.#draw();
    }
  }

  #giveTabStop(hadFocus) {
    const bars = [...this.#element.querySelectorAll(".bar")];
    const holding = (wanted) => bars.find(({ drawn }) => drawn.bars.some(wanted));
    const stop =
      holding((bar) => bar === this.#focused) ??
      holding((bar) => bar.transaction.position === this.#selected) ??
      bars[0];
    stop?.setAttribute("tabindex", "0");
    this.#takeFocus = false;
    if (hadFocus) stop?.focus({ preventScroll: true });
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const element = event.target.closest(".bar");
    if (event.key in ZOOM_KEYS) this.zoom(ZOOM_KEYS[event.key]);
    else if (event.key === "0") this.fit();
    else if (element && (event.key === "Enter" || event.key === " ")) this.#choose(element);
    else if (element && event.key.startsWith("Arrow")) this.#move(element, event.key);
    else return;
    event.preventDefault();
  }

  #move(element, key) {
    const next = neighbour(element, key, [...this.#element.querySelectorAll(".bar")], this.#lanes);
    if (!next) return;
    element.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  }

  #wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const x = event.clientX - this.#element.getBoundingClientRect().left;
    this.#zoom(event.deltaY < 0 ? 0.8 : 1.25, this.#scale.us(x));
  }

  #grab(event) {
    const isMouse = event.pointerType === "mouse" && event.button === 0;
    if (isMouse && this.#view !== this.#span) this.#draggedX = event.clientX;
  }

  #drag(event) {
    if (this.#draggedX === null || event.buttons === 0) return;
    this.#view = shifted(this.#view, this.#span, (this.#draggedX - event.clientX) * this.#scale.usPerPixel);
    this.#draggedX = event.clientX;
    this.#draw();
  }
}

/** The one bar that an element stands for; null where it stands for several, or none. */
function soleBar(target) {
  const bars = target.closest(".bar")?.drawn.bars ?? [];
  return bars.length === 1 ? bars[0] : null;
}

/** The next bar along the lane, or the one in the next lane that is nearest in time. */
function neighbour(element, key, bars, lanes) {
  if (key === "ArrowRight" || key === "ArrowLeft") {
    const lane = bars.filter((other) => other.lane === element.lane);
    lane.sort((one, other) => one.drawn.startUs - other.drawn.startUs);
    return lane[lane.indexOf(element) + (key === "ArrowRight" ? 1 : -1)];
  }
  const lane = lanes[lanes.indexOf(element.lane) + (key === "ArrowDown" ? 1 : -1)];
  const away = (other) => Math.abs(other.drawn.startUs - element.drawn.startUs);
  return bars.filter((other) => other.lane === lane).sort((one, other) => away(one) - away(other))[0];
}
