// The transactions of one block as a table, with a filter.

import { callOf, failureInWords, resultInWords, variableOf } from "./words.js";
import { count, counted, duration, shortened } from "./format.js";
import { byId, html, onceAFrame, setText } from "./dom.js";

const STEP = 25;
const KINDS = {
  all: () => true,
  conflicts: ({ attempts }) => attempts.some(({ conflict }) => conflict),
  waits: ({ waits }) => waits.length > 0,
  critical: ({ position }, critical) => critical.has(position),
  failed: ({ failure }) => failure !== null,
  "left-out": ({ leftOut }) => leftOut !== null,
};

export class Transactions {
  #record = null;
  #critical = new Set();
  #selected = null;
  #shown = STEP;
  #choose;
  #draw = onceAFrame(() => this.#drawNow());

  /** `choose` is called with a position. */
  constructor(choose) {
    this.#choose = choose;
    const again = () => {
      this.#shown = STEP;
      this.#draw();
    };
    byId("filter").addEventListener("input", again);
    byId("kind").addEventListener("change", again);
    byId("more").addEventListener("click", () => {
      this.#shown += 10 * STEP;
      this.#draw();
    });
  }

  show(record) {
    this.#record = record;
    this.#critical = new Set(record.criticalPath ?? []);
    this.#selected = null;
    this.#shown = STEP;
    this.#draw();
  }

  select(position) {
    this.#selected = position;
    this.#draw();
  }

  #drawNow() {
    const found = this.#found();
    const shown = found.slice(0, this.#shown);
    shown.push(...found.slice(this.#shown).filter(({ position }) => position === this.#selected));
    const rows = shown.map((transaction) => this.#row(transaction));
    byId("transactions").tBodies[0].replaceChildren(...rows);
    const hidden = found.length - rows.length;
    byId("more").hidden = hidden === 0;
    setText(byId("more"), `Show more (${count(hidden)})`);
    const all = this.#record.transactions.length;
    setText(
      byId("found"),
      found.length === all ? counted(all, "transaction") : `${count(found.length)} of ${counted(all, "transaction")}`,
    );
  }

  #found() {
    const wanted = byId("filter").value.trim().toLowerCase();
    const kind = KINDS[byId("kind").value];
    return this.#record.transactions.filter((one) => kind(one, this.#critical) && matches(one, wanted));
  }

  #row(transaction) {
    const { position, hash, from, gasUsed, attempts } = transaction;
    const counted = attempts.find(({ result }) => result === "accepted");
    const choose = () => this.#choose(position);
    const selected = position === this.#selected;
    const button = html(
      "button",
      { type: "button", class: "link", "aria-pressed": selected, onclick: choose },
      shortened(hash, 8, 4),
    );
    return html(
      "tr",
      { class: selected ? "selected" : null },
      html("td", { class: "number" }, String(position)),
      html("td", { title: hash, class: "mono" }, button),
      html("td", { title: from ?? "", class: "mono optional" }, from ? shortened(from) : ""),
      html("td", { class: "call" }, html("bdi", { title: transaction.function ?? "" }, callOf(transaction))),
      html("td", { class: "number optional" }, gasUsed ? count(gasUsed) : ""),
      html("td", { class: "number" }, counted?.threadUs ? duration(counted.threadUs) : ""),
      html("td", { class: "optional" }, counted?.worker ?? ""),
      html("td", {}, outcome(transaction, this.#critical.has(position))),
    );
  }
}

function matches({ hash, from, to, contract, function: called }, wanted) {
  return wanted === "" || [hash, from, to, contract, called].some((text) => text?.toLowerCase().includes(wanted));
}

/** The most remarkable thing about it. */
function outcome({ attempts, waits, leftOut, failure }, critical) {
  const marks = [];
  const lost = attempts.find(({ conflict }) => conflict);
  const broken = attempts.find(({ result, conflict }) => result !== "accepted" && !conflict);
  if (leftOut) marks.push(html("span", { class: "badge bad" }, "left out: ", html("bdi", {}, leftOut)));
  if (failure) marks.push(html("span", { class: "badge bad" }, failureInWords(failure)));
  if (lost) marks.push(html("span", { class: "badge bad" }, html("bdi", {}, variableOf(lost.conflict))));
  if (broken) marks.push(html("span", { class: "badge bad" }, resultInWords(broken.result)));
  if (waits.length) marks.push(html("span", { class: "badge wait" }, html("bdi", {}, variableOf(waits[0]))));
  if (critical) marks.push(html("span", { class: "badge critical" }, "critical path"));
  return marks;
}
