// What the page keeps of the chain.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pageModule } from "./page_modules.mjs";

const { Chain, KEPT_BLOCKS } = await pageModule("chain.js");

const change = (number, state, timestamp, more = {}) => ({
  number,
  state,
  timestamp,
  proposal: `0x${number}`,
  round: number,
  leader: 0,
  ...more,
});

test("however many blocks come, a bounded number is kept, and they are the newest", () => {
  const chain = new Chain();
  for (let number = 1; number <= 3 * KEPT_BLOCKS; number++) chain.reached(change(number, "proposed", number));
  const kept = chain.newest(10 * KEPT_BLOCKS).map(({ number }) => number);
  assert.deepEqual([kept.length, kept[0], kept.at(-1)], [KEPT_BLOCKS, 3 * KEPT_BLOCKS, 2 * KEPT_BLOCKS + 1]);
});

test("a block that was there before is shown once, also when more is heard of it", () => {
  const chain = new Chain();
  chain.finalized = 4;
  const header = (number) => ({ number, hash: `0x${number}`, gasUsed: "0x0", transactions: [] });
  chain.found(header("0x4"));
  chain.found(header("0x5"));
  assert.deepEqual(
    chain.newest(9).map(({ state }) => state),
    ["executed", "verified"],
  );
  chain.reached(change(5, "proposed", 1));
  chain.found(header("0x5"));
  assert.deepEqual(
    chain.newest(9).map(({ number, state }) => [number, state]),
    [
      [5, "proposed"],
      [4, "verified"],
    ],
  );
});

test("transactions a second fall to nothing when nothing comes", () => {
  const chain = new Chain();
  chain.reached(change(1, "executed", 1, { hash: "0x1", transactions: 50, gasUsed: 1 }));
  assert.equal(chain.rate(Date.now()), 50);
  assert.equal(chain.rate(Date.now() + 60_000), 0);
});

test("after an interruption only what was verified before is known", () => {
  const chain = new Chain();
  for (const state of ["proposed", "certified", "committed", "executed", "verified"])
    chain.reached(change(1, state, 1));
  chain.reached(change(2, "committed", 1));
  chain.interrupted();
  assert.deepEqual(
    chain.newest(9).map(({ number }) => number),
    [1],
  );
});
