// The picture of a block's timeline, for one width, one stretch of time, and what is marked in it.

import { drawable, ticks } from "./timeline_layout.js";
import { attemptInWords } from "./words.js";
import { counted, duration } from "./format.js";
import { svg } from "./dom.js";

const AXIS = 26;
const ROW = 26;
const BAR = 20;
const LANE_GAP = 10;
const WAIT = 5;
const RIGHT = 12;
const LABEL = 92;
const LABEL_ABOVE = 16;
/** Where a name beside the lane would take too much of the width, it stands above it. */
const NARROW = 560;
const NUMBERED = 24;
const FRAMED = 9;
/** More arrows than this show nothing; then only those of the transaction at hand are drawn. */
const MOST_STANDING_ARROWS = 40;
/** Rows drawn of one lane; more of them would hide the other lanes. */
const MOST_ROWS = 6;

/** Where times lie across a width. */
export class Scale {
  constructor(width, view) {
    this.width = width;
    this.view = view;
    this.narrow = width < NARROW;
    this.left = this.narrow ? 4 : LABEL;
    this.right = width - RIGHT;
    this.usPerPixel = (view.toUs - view.fromUs) / (this.right - this.left);
  }

  x(us) {
    return this.left + (us - this.view.fromUs) / this.usPerPixel;
  }

  us(x) {
    return this.view.fromUs + (x - this.left) * this.usPerPixel;
  }
}

/**
 * The whole picture. An element of class "bar" has what it stands for in `drawn`, and its `lane`. `paths` draws what
 * changes with the bar that is pointed at: the critical path and the arrows.
 */
export function drawTimeline({ record, lanes, scale, selected, critical }) {
  const places = new Map();
  const drawn = [];
  let y = AXIS;
  for (const lane of lanes) {
    const above = scale.narrow ? LABEL_ABOVE : 0;
    const bars = Math.min(lane.rows, MOST_ROWS) * ROW;
    const height = bars + (lane.waits.length ? WAIT + 3 : 0);
    drawn.push(drawLane(lane, { y, above, height }, scale, { selected, critical, places }));
    y += above + height + LANE_GAP;
  }
  const height = y - LANE_GAP + 4;
  const visible = { x: scale.left - 1, y: 0, width: scale.right - scale.left + 2, height };
  const picture = svg(
    "svg",
    { width: scale.width, height, role: "group", "aria-label": summary(record) },
    definitions(),
    svg("clipPath", { id: "lanes" }, svg("rect", visible)),
    drawAxis(scale, height),
    drawn,
    svg("g", { class: "paths", "clip-path": "url(#lanes)" }),
  );
  return { picture, places };
}

const summary = ({ number, strategy, attempts, conflicts }) =>
  `Timeline of block ${number}: ${strategy}, ${counted(attempts, "attempt")}, ${counted(conflicts, "conflict")}`;

function drawAxis(scale, height) {
  const marks = ticks(scale.view, Math.max(2, (scale.right - scale.left) / 90));
  return svg(
    "g",
    { class: "axis", "aria-hidden": "true" },
    marks.map((at) => [
      svg("line", { x1: scale.x(at), x2: scale.x(at), y1: AXIS - 6, y2: height }),
      svg("text", { ...label(scale.x(at), scale), y: 13 }, at === 0 ? "0" : duration(at)),
    ]),
  );
}

/** In the middle under its line, but never beyond the edge. */
const label = (x, { width }) => (x > width - 24 ? { x: width, class: "last" } : { x });

function drawLane(lane, { y, above, height }, scale, marked) {
  const top = y + above;
  const place = above ? { x: scale.left, y: y + 11 } : { x: scale.left - 12, y: y + ROW / 2 + 4, "text-anchor": "end" };
  const ground = { class: "lane", x: scale.left, y: top, width: scale.right - scale.left, height, rx: 4 };
  // What came to nothing lies on top: beside long runs it may be only a pixel wide.
  const drawn = drawable(lane.bars, scale.view, scale.usPerPixel).sort((one, other) => depth(one) - depth(other));
  const bars = drawn.map((each) => drawBar(each, lane, top, scale, marked));
  const waits = lane.waits.map((wait) => drawWait(wait, top + height - WAIT - 1, scale));
  const content = svg("g", { "clip-path": "url(#lanes)" }, waits, bars);
  return svg("g", {}, svg("rect", ground), svg("text", { class: "lane-name", ...place }, lane.name), content);
}

const depth = ({ look }) => (look === "accepted" ? 0 : 1);

function drawBar(drawn, lane, top, scale, { selected, critical, places }) {
  const { startUs, endUs, look, bars } = drawn;
  const x = scale.x(startUs);
  const y = top + Math.min(drawn.row, MOST_ROWS - 1) * ROW + (ROW - BAR) / 2;
  const full = scale.x(endUs) - x;
  const width = Math.max(1.5, full > 4 ? full - 1 : full);
  for (const bar of bars) places.set(bar, { x: x + width / 2, from: x, to: x + width, y: y + BAR / 2 });
  const shape = { x, y, width, height: BAR, rx: Math.min(3, width / 3) };
  const isCritical = critical && drawn.critical;
  const marks = [look];
  if (isCritical && width >= FRAMED) marks.push("critical");
  if (bars.some(({ transaction }) => transaction.position === selected)) marks.push("selected");
  const label = bars.length > 1 ? `${bars.length} attempts, zoom in to see them` : attemptInWords(bars[0], lane.name);
  const element = svg(
    "g",
    { class: `bar ${marks.join(" ")}`, role: "button", tabindex: -1, "aria-label": label },
    svg("rect", shape),
    look === "accepted" ? null : svg("rect", { ...shape, class: "hatch" }),
    isCritical && width < FRAMED ? svg("rect", { class: "critical-mark", x, y: y + BAR, width, height: 3 }) : null,
    bars.length === 1 && width > NUMBERED ? numberOf(bars[0], x + width / 2, y + BAR / 2 + 4) : null,
  );
  return Object.assign(element, { drawn, lane });
}

const numberOf = ({ transaction }, x, y) => svg("text", { x, y }, String(transaction.position));

function drawWait({ startUs, endUs, wait }, y, scale) {
  if (endUs < scale.view.fromUs || startUs > scale.view.toUs) return null;
  const x = scale.x(startUs);
  const width = Math.max(1, scale.x(endUs) - x);
  return svg("rect", { class: `wait ${wait.dependency}`, x, y, width, height: WAIT, rx: 2 });
}

/** The way from one transaction of the critical path to the next. */
export function drawCriticalPath(lanes, places) {
  const bars = lanes.flatMap(({ bars }) => bars.filter(({ critical }) => critical));
  bars.sort((one, other) => one.startUs - other.startUs);
  const stops = bars.map((bar) => places.get(bar)).filter(Boolean);
  const ways = stops.slice(1).map((stop, index) => curve(stops[index].to, stops[index].y, stop.from, stop.y));
  return svg("path", { class: "critical-path", d: ways.join("") });
}

/** From writers to those that lost by them; `isActive` says of a bar whether it is looked at. */
export function drawArrows(arrows, places, isActive) {
  const all = arrows.length <= MOST_STANDING_ARROWS;
  return arrows.flatMap(({ from, to, dependency }) => {
    const [start, end] = [places.get(from), places.get(to)];
    const active = isActive(from) || isActive(to);
    if (!start || !end || !(all || active)) return [];
    const head = `url(#arrow-head${active ? "-active" : ""})`;
    const look = `arrow ${dependency}${active ? " active" : ""}`;
    return [svg("path", { class: look, d: arch(start, end), "marker-end": head })];
  });
}

/** From the edge of one bar to the edge of another, leaving and arriving upright; over the top within one lane. */
function arch(start, end) {
  const way = Math.sign(end.y - start.y);
  const [y1, y2] = way ? [start.y + (way * BAR) / 2, end.y - (way * BAR) / 2] : [start.y - BAR / 2, end.y - BAR / 2];
  const bend = way ? way * Math.max(12, Math.abs(y2 - y1) / 2) : -14;
  return `M${start.x} ${y1}C${start.x} ${y1 + bend} ${end.x} ${y2 - (way ? bend : -bend)} ${end.x} ${y2}`;
}

/** From one point to another, leaving and arriving level. */
function curve(x1, y1, x2, y2) {
  if (y1 === y2 && Math.abs(x2 - x1) < 4) return `M${x1} ${y1}L${x2} ${y2}`;
  const bend = Math.max(14, Math.abs(x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

function definitions() {
  const box = { viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 6, markerHeight: 6, orient: "auto" };
  const head = (id) => svg("marker", { id, ...box }, svg("path", { d: "M0 0L8 4L0 8z" }));
  const tile = { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
  const hatch = svg("pattern", tile, svg("rect", { width: 2.5, height: 6 }));
  return svg("defs", {}, head("arrow-head"), head("arrow-head-active"), hatch);
}
