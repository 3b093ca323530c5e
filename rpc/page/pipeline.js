// The pipeline: a row for each of the newest blocks, which fills from state to state.

import { STATES } from "./chain.js";
import { count, counted, milliseconds } from "./format.js";
import { html, setText } from "./dom.js";

const SHOWN_BLOCKS = 16;
const MEANINGS = {
  proposed: "a validator has it, and the others vote",
  certified: "a quorum has voted for it; the next certificate commits it",
  committed: "final in its place, and waits for execution or is executed",
  executed: "its block can be read; waits for a committed proposal that carries its hash",
  verified: "validators agree on its hash",
};

export class Pipeline {
  #body;
  #counts;
  #rows = new Map();
  #opened = null;
  #open;

  /** `open` is called with the number of a block that a person chose. */
  constructor(table, open) {
    this.#open = open;
    const head = STATES.map((state) => {
      const inside = html("span", { class: "in-flight" });
      return { state, inside, cell: html("th", { scope: "col", title: MEANINGS[state] }, state, inside) };
    });
    this.#counts = head;
    this.#body = html("tbody");
    const first = [html("th", { scope: "col" }, "block"), html("th", { scope: "col", class: "number" }, "tx")];
    table.append(
      html(
        "thead",
        {},
        html(
          "tr",
          {},
          first,
          head.map(({ cell }) => cell),
        ),
      ),
      this.#body,
    );
  }

  /** The block that the page shows in full. */
  mark(number) {
    this.#opened = number;
    for (const [, row] of this.#rows) row.mark(number);
  }

  draw(chain) {
    const inFlight = chain.inFlight();
    for (const { state, inside } of this.#counts) setText(inside, inFlight[state] ? String(inFlight[state]) : "");
    const blocks = chain.newest(SHOWN_BLOCKS);
    const keys = new Set(blocks.map(({ key }) => key));
    for (const [key, row] of this.#rows) if (!keys.has(key)) this.#remove(key, row);
    let before = this.#body.firstChild;
    for (const block of blocks) {
      const row = this.#rows.get(block.key) ?? this.#add(block);
      row.draw(block);
      if (row.element === before) before = before.nextSibling;
      else this.#body.insertBefore(row.element, before);
    }
  }

  #add(block) {
    const row = new Row(block, () => this.#open(block.number));
    row.mark(this.#opened);
    this.#rows.set(block.key, row);
    return row;
  }

  #remove(key, row) {
    row.element.remove();
    this.#rows.delete(key);
  }
}

class Row {
  #number;
  #button;
  #transactions = html("td", { class: "number" });
  #cells = Object.fromEntries(STATES.map((state) => [state, { bar: html("span", { class: `state ${state}` }) }]));
  #drawn = "";

  constructor(block, open) {
    this.#number = block.number;
    this.#button = html("button", { type: "button", class: "block-link", onclick: open }, `#${block.number}`);
    const cells = STATES.map((state) => html("td", { class: "state-cell" }, this.#cells[state].bar));
    this.element = html("tr", {}, html("th", { scope: "row" }, this.#button), this.#transactions, cells);
    this.element.addEventListener("click", (event) => event.target === this.#button || open());
  }

  mark(number) {
    this.element.classList.toggle("opened", number === this.#number);
    if (number === this.#number) this.#button.setAttribute("aria-current", "true");
    else this.#button.removeAttribute("aria-current");
  }

  draw(block) {
    const drawn = `${block.state} ${Object.keys(block.times).length}`;
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.element.classList.toggle("abandoned", block.state === "abandoned");
    const tip = block.hash ? `${counted(block.transactions, "transaction")}, ${count(block.gasUsed)} gas` : "in flight";
    this.element.title = `${tip}${block.leader === undefined ? "" : `, proposed by validator ${block.leader}`}`;
    setText(this.#transactions, block.transactions === undefined ? "" : count(block.transactions));
    STATES.forEach((state, index) => this.#drawState(block, state, index));
  }

  #drawState(block, state, index) {
    const { bar } = this.#cells[state];
    const reached = STATES.indexOf(block.state);
    bar.classList.toggle("passed", block.state === "abandoned" ? state in block.times : index <= reached);
    bar.classList.toggle("current", index === reached && state !== "verified" && "proposed" in block.times);
    bar.style.setProperty("--share", shareOf(block, state, STATES[index + 1]));
    setText(bar, timeIn(block, state, STATES[index + 1]));
  }
}

/** Which part of the block's whole way it spent in a state: the fuller the colour, the more. */
function shareOf({ times }, state, next) {
  const whole = times.verified - times.proposed;
  return whole > 0 && times[next] ? (times[next] - times[state]) / whole : 0;
}

/** How long the block was in a state; at the end the whole way, or that it was given up. */
function timeIn(block, state, next) {
  const { times } = block;
  if (block.state === "abandoned") return state === "verified" ? "abandoned" : "";
  if (state === "verified")
    return times.verified
      ? `✓ ${milliseconds(times.verified - times.proposed)}`
      : block.state === "verified"
        ? "✓"
        : "";
  return times[next] && times[state] ? milliseconds(times[next] - times[state]) : "";
}
