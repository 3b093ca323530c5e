// What the page knows of the chain: the newest blocks with the states they have passed, and how fast they come.

export const STATES = ["proposed", "certified", "committed", "executed", "verified"];

/** Blocks that are kept; older ones can still be opened by number. */
export const KEPT_BLOCKS = 240;
export const RATE_WINDOW_MS = 5000;

/**
 * A block: `times` has the milliseconds at which it reached each state, none for a block that was there before anybody
 * looked; `state` is the last it reached, or "abandoned". From "executed" on it has `hash`, `transactions`, `gasUsed`.
 */
export class Chain {
  #blocks = new Map();
  #executed = [];
  head = 0;
  safe = 0;
  finalized = 0;
  gasLimit = 0;

  clear() {
    this.#blocks.clear();
    this.#executed = [];
    this.head = this.safe = this.finalized = 0;
  }

  /** Nobody told what happened meanwhile: of blocks that were under way it is not known how far they are. */
  interrupted() {
    for (const [key, block] of this.#blocks) if (block.state !== "verified") this.#blocks.delete(key);
  }

  /** A state that a block has reached, as eth_subscribe("tandemBlocks") tells it. */
  reached(change) {
    const { number, proposal, state } = change;
    const key = `${number} ${proposal}`;
    const block = this.#blocks.get(key) ?? { key, number, leader: change.leader, round: change.round, times: {} };
    block.state = state;
    block.times[state] = change.timestamp;
    if (change.hash)
      Object.assign(block, { hash: change.hash, transactions: change.transactions, gasUsed: change.gasUsed });
    this.#blocks.set(key, block);
    this.#blocks.delete(stillKey(number));
    if (state === "executed") this.#count(block);
    if (state === "verified") this.finalized = Math.max(this.finalized, number);
    this.#forgetOld();
  }

  /** A block that was there before, as eth_getBlockByNumber gives it. */
  found(header) {
    const number = Number(header.number);
    const live = [...this.#blocks.values()].some((block) => block.number === number && block.state !== "abandoned");
    if (live) return;
    const block = { key: stillKey(number), number, times: {}, hash: header.hash, gasUsed: Number(header.gasUsed) };
    block.transactions = header.transactions.length;
    block.state = number <= this.finalized ? "verified" : "executed";
    this.#blocks.set(block.key, block);
    this.#forgetOld();
  }

  /** A header of eth_subscribe("newHeads"). */
  headed(header) {
    this.head = Number(header.number);
    this.gasLimit = Number(header.gasLimit);
  }

  /** The newest blocks first; two proposals for one number by round. */
  newest(limit) {
    const order = (one, other) => other.number - one.number || (other.round ?? 0) - (one.round ?? 0);
    return [...this.#blocks.values()].sort(order).slice(0, limit);
  }

  /** How many blocks are in each state before the last at this moment. */
  inFlight() {
    const counts = Object.fromEntries(STATES.slice(0, -1).map((state) => [state, 0]));
    for (const block of this.#blocks.values()) if (block.state in counts && block.times.proposed) counts[block.state]++;
    return counts;
  }

  /** Transactions a second over the last five seconds, or since the first of them. */
  rate(now) {
    this.#executed = this.#executed.filter(({ at }) => now - at < RATE_WINDOW_MS);
    if (this.#executed.length === 0) return 0;
    const seconds = Math.max(1000, now - this.#executed[0].at) / 1000;
    return this.#executed.reduce((sum, { transactions }) => sum + transactions, 0) / seconds;
  }

  /** The newest executed block that holds transactions, else the newest executed block; null if there is none. */
  newestWorthSeeing() {
    const executed = this.newest(KEPT_BLOCKS).filter((block) => block.hash);
    return executed.find((block) => block.transactions > 0) ?? executed[0] ?? null;
  }

  #count(block) {
    this.safe = Math.max(this.safe, block.number);
    this.head = Math.max(this.head, block.number);
    this.#executed.push({ at: Date.now(), transactions: block.transactions });
  }

  /** The oldest go; a map keeps the order in which its keys came. */
  #forgetOld() {
    while (this.#blocks.size > KEPT_BLOCKS) this.#blocks.delete(this.#blocks.keys().next().value);
  }
}

const stillKey = (number) => `${number} found`;
