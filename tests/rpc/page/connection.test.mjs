// How the page finds its node again.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { pageModule } from "./page_modules.mjs";

let sockets = [];
let look;

globalThis.WebSocket = class {
  static OPEN = 1;
  readyState = 0;
  sent = [];

  constructor() {
    sockets.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  close() {
    this.readyState = 3;
    this.onclose();
  }

  receive(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }
};
globalThis.document = { hidden: false, addEventListener: (name, listener) => (look = listener) };
mock.timers.enable({ apis: ["setTimeout"] });

const { Connection, Disconnected, RpcError } = await pageModule("connection.js");

function connected() {
  const seen = [];
  const connection = new Connection("ws://node", {
    opened: () => seen.push("opened"),
    closed: () => seen.push("closed"),
  });
  return { connection, seen };
}

const newest = () => sockets.at(-1);

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  sockets = [];
  document.hidden = false;
});

test("a request gets its own answer, whatever comes first", async () => {
  const { connection } = connected();
  newest().open();
  const [one, two] = [connection.call("one"), connection.call("two", 7)];
  const [first, second] = newest().sent;
  assert.deepEqual([second.method, second.params], ["two", [7]]);
  newest().receive({ id: second.id, error: { code: -32000, message: "no" } });
  newest().receive({ id: first.id, result: 1 });
  assert.equal(await one, 1);
  await assert.rejects(two, new RpcError({ code: -32000, message: "no" }));
});

test("a subscription's news reaches its listener, and only its own", async () => {
  const { connection } = connected();
  newest().open();
  const heard = [];
  const subscribed = connection.subscribe("newHeads", (news) => heard.push(news));
  newest().receive({ id: newest().sent[0].id, result: "0xa" });
  await subscribed;
  newest().receive({ method: "eth_subscription", params: { subscription: "0xa", result: 1 } });
  newest().receive({ method: "eth_subscription", params: { subscription: "0xb", result: 2 } });
  assert.deepEqual(heard, [1]);
});

test("what waited when the connection ended fails, and it connects again with growing pauses", async () => {
  const { connection, seen } = connected();
  newest().open();
  const waiting = connection.call("one");
  newest().close();
  await assert.rejects(waiting, Disconnected);
  await assert.rejects(connection.call("two"), Disconnected);
  assert.deepEqual(seen, ["opened", "closed"]);
  for (const pause of [250, 500, 1000, 2000, 4000, 8000, 8000]) {
    const before = sockets.length;
    mock.timers.tick(pause - 1);
    assert.equal(sockets.length, before);
    mock.timers.tick(1);
    assert.equal(sockets.length, before + 1);
    newest().close();
  }
});

test("a node that takes connections and fails is not asked in a hurry; one that answered is", () => {
  const { connection } = connected();
  newest().open();
  connection.restart();
  mock.timers.tick(250);
  newest().open();
  connection.restart();
  mock.timers.tick(499);
  assert.equal(sockets.length, 2);
  mock.timers.tick(1);
  newest().open();
  connection.isGood();
  newest().close();
  mock.timers.tick(250);
  assert.equal(sockets.length, 4);
});

test("while the page is hidden nothing is tried, and at once when it is looked at again", () => {
  connected();
  newest().open();
  document.hidden = true;
  newest().close();
  look();
  mock.timers.tick(3_600_000);
  assert.equal(sockets.length, 1);
  document.hidden = false;
  look();
  mock.timers.tick(250);
  assert.equal(sockets.length, 2);
});

test("a pause that runs while the page is hidden away ends nothing", () => {
  connected();
  newest().close();
  document.hidden = true;
  look();
  mock.timers.tick(3_600_000);
  assert.equal(sockets.length, 1);
});
