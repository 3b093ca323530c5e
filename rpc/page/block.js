// One block in full: what it cost and why, its timeline, and its transactions.

import { Timeline } from "./timeline.js";
import { Transactions } from "./transactions.js";
import { EXECUTION } from "./timeline_layout.js";
import { blockInWords, messagesInWords, transactionInWords } from "./words.js";
import { count, counted, duration, times } from "./format.js";
import { byId, html, setText } from "./dom.js";

const TRANSFER_GAS = 21_000;

export class BlockPanel {
  #timeline;
  #transactions;
  #record = null;
  #selected = null;
  #told = { hash: null, messages: [], reason: "" };
  #tell;

  /**
   * `chosen` is called when a person begins to look at one transaction; `tell` asks what the contracts of one logged,
   * and why it failed.
   */
  constructor(chosen, tell) {
    this.#tell = tell;
    const choose = (position) => {
      this.select(position);
      chosen();
    };
    this.#timeline = new Timeline(byId("timeline"), {
      pointed: (bar) => this.#explain(bar?.transaction ?? this.#selected),
      chosen: (bar) => choose(bar.transaction.position),
    });
    this.#transactions = new Transactions(choose);
    byId("zoom-in").addEventListener("click", () => this.#timeline.zoom(0.5));
    byId("zoom-out").addEventListener("click", () => this.#timeline.zoom(2));
    byId("zoom-fit").addEventListener("click", () => this.#timeline.fit());
    byId("critical").addEventListener("change", (event) => this.#timeline.showCritical(event.target.checked));
  }

  get number() {
    return this.#record?.number ?? null;
  }

  /** The record of a block as tandem_getBlockExecution gives it. */
  show(record) {
    const same = this.#record?.hash === record.hash;
    const position = same ? (this.#selected?.position ?? null) : null;
    this.#record = record;
    byId("block").hidden = false;
    byId("no-block").hidden = true;
    setText(byId("block-title"), `Block ${count(record.number)}`);
    setText(byId("block-hash"), record.hash);
    byId("block-facts").replaceChildren(...facts(record));
    setText(byId("serial-from"), serialFrom(record));
    this.#timeline.show(record);
    this.#transactions.show(record);
    this.select(position);
  }

  /** Why there is nothing to show of a block. */
  showProblem(title, problem) {
    this.#record = null;
    byId("block").hidden = true;
    byId("no-block").hidden = false;
    byId("no-block").replaceChildren(html("h2", {}, title), html("p", {}, problem));
  }

  /** Marks the transaction at a position everywhere, none for null. */
  select(position) {
    this.#selected = this.#record.transactions.find((one) => one.position === position) ?? null;
    this.#timeline.select(position);
    this.#transactions.select(position);
    this.#explain(this.#selected);
    this.#ask(this.#selected);
  }

  /** Marks a transaction by its hash. */
  selectHash(hash) {
    const found = this.#record.transactions.find((one) => one.hash === hash);
    if (found) this.select(found.position);
  }

  #explain(transaction) {
    const { messages, reason } = transaction?.hash === this.#told.hash ? this.#told : { messages: [], reason: "" };
    const told = transaction
      ? transactionInWords(transaction, reason, (position) => this.select(position))
      : blockInWords(this.#record);
    byId("explanation").replaceChildren(...told, ...messagesInWords(messages));
  }

  /** The node runs the transaction again for it, so it is asked of one that was chosen, and only if it ran code. */
  async #ask(transaction) {
    if (!transaction || transaction.leftOut || !(transaction.gasUsed > TRANSFER_GAS)) return;
    const { hash } = transaction;
    if (hash === this.#told.hash) return;
    const told = await this.#tell(transaction);
    if (this.#selected?.hash !== hash) return;
    this.#told = { hash, ...told };
    this.#explain(this.#selected);
  }
}

function facts(record) {
  const {
    transactions,
    strategy,
    workers,
    executionUs,
    serialUs,
    serialTime,
    speedup,
    criticalPathUs,
    criticalPath,
    attempts,
    conflicts,
    leftOut,
  } = record;
  const included = transactions.length - (leftOut ?? 0);
  return [
    fact("transactions", count(included), leftOut ? `${count(leftOut)} left out` : `gas ${count(gasOf(transactions))}`),
    fact("strategy", strategy, workersOf(transactions, workers)),
    fact("execution", duration(executionUs), serialUs ? `serial ${duration(serialUs)}, ${serialTime}` : ""),
    fact("speed-up", speedup ? times(speedup) : "–", speedup ? serialTime : "not known", speedup >= 1.05 ? "good" : ""),
    fact(
      "critical path",
      criticalPathUs ? duration(criticalPathUs) : "–",
      criticalPath === null
        ? "not known"
        : criticalPath.length
          ? counted(criticalPath.length, "transaction")
          : "no dependencies",
    ),
    fact("conflicts", count(conflicts), counted(attempts, "attempt"), conflicts ? "bad" : ""),
  ];
}

/** How many workers there were and, where some had nothing to run, how many took part. */
function workersOf(transactions, workers) {
  const names = transactions.flatMap(({ attempts }) => attempts.map(({ worker }) => worker));
  const active = new Set(names.filter((name) => name !== EXECUTION)).size;
  return active < workers ? `${active} of ${counted(workers, "worker")} took part` : counted(workers, "worker");
}

const gasOf = (transactions) => transactions.reduce((sum, { gasUsed }) => sum + (gasUsed ?? 0), 0);

const fact = (name, value, note, look = "") =>
  html("div", { class: "fact" }, html("dt", {}, name), html("dd", { class: look }, value, html("small", {}, note)));

const serialFrom = ({ serialFrom: position }) =>
  position === null || position === undefined
    ? ""
    : `From transaction ${position} on the rest ran one after the other, because too many attempts before it were lost.`;
