// What of a block's record lies where: the arithmetic under the timeline.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pageModule } from "./page_modules.mjs";

const { arrowsOf, drawable, lanesOf, shifted, spanOf, ticks, zoomed } = await pageModule("timeline_layout.js");

const attempt = (worker, startUs, endUs, result = "accepted", conflict = null) => ({
  worker,
  startUs,
  endUs,
  result,
  conflict,
});
const transaction = (position, attempts, waits = []) => ({ position, attempts, waits });
const record = (...transactions) => ({ executionUs: 100, criticalPath: [1], transactions });

test("workers come by number, and execution's own lane last", () => {
  const lanes = lanesOf(
    record(...["execution", "worker-10", "worker-9"].map((name, at) => transaction(at, [attempt(name, 0, 1)]))),
  );
  assert.deepEqual(
    lanes.map(({ name }) => name),
    ["worker-9", "worker-10", "execution"],
  );
});

test("bars of one lane that overlap lie in rows of their own", () => {
  const [lane] = lanesOf(
    record(
      transaction(0, [attempt("w", 0, 10)]),
      transaction(1, [attempt("w", 5, 15)]),
      transaction(2, [attempt("w", 10, 20)]),
    ),
  );
  assert.equal(lane.rows, 2);
  assert.deepEqual(
    lane.bars.map(({ row }) => row),
    [0, 1, 0],
  );
});

test("only the run that counted is on the critical path", () => {
  const [lane] = lanesOf(record(transaction(1, [attempt("w", 0, 10, "conflict"), attempt("w", 10, 20)])));
  assert.deepEqual(
    lane.bars.map(({ critical }) => critical),
    [false, true],
  );
});

test("a wait ends where the first attempt begins, and begins not before the block", () => {
  const [lane] = lanesOf(record(transaction(0, [attempt("w", 30, 40)], [{ waitedUs: 20 }, { waitedUs: 50 }])));
  assert.deepEqual(
    lane.waits.map(({ startUs, endUs }) => [startUs, endUs]),
    [
      [10, 30],
      [0, 30],
    ],
  );
});

test("an arrow leads from the writer's run that counted to the run that lost; none from before the block", () => {
  const by = (position) => ({ writer: { position }, dependency: "real" });
  const lanes = lanesOf(
    record(
      transaction(0, [attempt("v", 0, 10, "conflict", { writer: null, dependency: "artefact" }), attempt("w", 20, 30)]),
      transaction(1, [attempt("v", 10, 20, "conflict", by(0)), attempt("w", 30, 40)]),
    ),
  );
  const [arrow, ...others] = arrowsOf(lanes);
  assert.deepEqual(others, []);
  assert.deepEqual([arrow.from.startUs, arrow.to.startUs, arrow.dependency], [20, 10, "real"]);
});

test("ten thousand bars too small to see become no more than there are pixels, and none is lost", () => {
  const many = Array.from({ length: 10_000 }, (_, at) => transaction(at, [attempt("w", at, at + 1)]));
  const [lane] = lanesOf(record(...many));
  const drawn = drawable(lane.bars, { fromUs: 0, toUs: 10_000 }, 10);
  assert.ok(drawn.length <= 1000, `${drawn.length}`);
  assert.equal(
    drawn.reduce((sum, { bars }) => sum + bars.length, 0),
    10_000,
  );
});

test("bars of different looks never become one", () => {
  const [lane] = lanesOf(
    record(transaction(0, [attempt("w", 0, 1)]), transaction(1, [attempt("w", 1, 2, "conflict")])),
  );
  assert.equal(drawable(lane.bars, { fromUs: 0, toUs: 10_000 }, 100).length, 2);
});

test("the axis has round times, as few as asked for", () => {
  assert.deepEqual(ticks({ fromUs: 0, toUs: 1000 }, 5), [0, 200, 400, 600, 800, 1000]);
  assert.deepEqual(ticks({ fromUs: 0, toUs: 0.5 }, 2).length <= 3, true);
});

test("zooming and moving stay within the block", () => {
  const span = { fromUs: 0, toUs: 1000 };
  assert.deepEqual(zoomed(span, span, 0.5, 500), { fromUs: 250, toUs: 750 });
  assert.deepEqual(zoomed({ fromUs: 0, toUs: 100 }, span, 100, 50), span);
  assert.deepEqual(shifted({ fromUs: 0, toUs: 100 }, span, -50), { fromUs: 0, toUs: 100 });
  assert.deepEqual(shifted({ fromUs: 800, toUs: 900 }, span, 500), { fromUs: 900, toUs: 1000 });
  assert.equal(spanOf(record(), []).fromUs, 0);
});
