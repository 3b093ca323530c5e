// The variables that cost most over the newest blocks, and what to do about them.

import { variableOf } from "./words.js";
import { count, counted, duration, shortened } from "./format.js";
import { byId, html, setText } from "./dom.js";

const SHOWN = 8;
const SHOWN_FUNCTIONS = 3;
const SHOWN_ADVICE = 3;

/** What tandem_getHotspots answers. */
export function drawHotspots({ from, to, blocks, transactions, lostUs, hotspots, advice }) {
  const most = Math.max(1, ...hotspots.map((one) => one.lostUs));
  setText(
    byId("hot-range"),
    blocks
      ? `blocks ${count(from)} to ${count(to)}, ${counted(transactions, "transaction")}, ${duration(lostUs)} lost`
      : "",
  );
  byId("advice").replaceChildren(
    ...advice.slice(0, SHOWN_ADVICE).map((sentence) => html("li", {}, html("bdi", {}, withCode(sentence)))),
  );
  byId("hotspots").replaceChildren(...hotspots.slice(0, SHOWN).map((one) => item(one, most)));
  byId("no-hotspots").hidden = hotspots.length > 0;
}

/** A sentence whose parts between backticks are code. */
const withCode = (sentence) => sentence.split("`").map((part, index) => (index % 2 ? html("code", {}, part) : part));

/** "3 real" where the others were held up without need. */
const dependencyOf = ({ transactions, needless, dependency }) =>
  needless && needless < transactions ? `${count(transactions - needless)} real` : dependency;

function item(hotspot, most) {
  const { address, conflicts, waits, lostUs, functions, dependency } = hotspot;
  const bar = html("span", { class: `cost ${dependency}` });
  bar.style.setProperty("--share", lostUs / most);
  const who = functions
    .slice(0, SHOWN_FUNCTIONS)
    .map((one) => `${one.function ?? "unnamed function"} ${count(one.count)}×`);
  const counts = [conflicts ? counted(conflicts, "conflict") : "", waits ? counted(waits, "wait") : ""].filter(Boolean);
  return html(
    "li",
    {},
    html(
      "div",
      { class: "hot-head" },
      html("bdi", { class: "variable" }, variableOf(hotspot)),
      html("b", {}, duration(lostUs)),
    ),
    html("div", { class: "cost-track" }, bar),
    html(
      "div",
      { class: "hot-foot" },
      html("span", {}, counts.join(", ")),
      who.length ? html("bdi", {}, who.join(", ")) : null,
      html("code", { title: address }, shortened(address)),
      html("span", { class: `badge ${dependency}` }, dependencyOf(hotspot)),
    ),
  );
}
