// The page: connects, and hands what comes to the parts that draw it. Nothing is asked for twice, and nothing on a timer
// while nothing happens.

import { BlockPanel } from "./block.js";
import { Chain } from "./chain.js";
import { Connection, Disconnected, RpcError } from "./connection.js";
import { drawHotspots } from "./hotspots.js";
import { Overview } from "./overview.js";
import { Pipeline } from "./pipeline.js";
import { searchField } from "./search.js";
import { atMostEvery, byId, onceAFrame, setText } from "./dom.js";

const BACKFILL_BLOCKS = 32;
const HOT_BLOCKS = 64;
/** The newest block is opened at most so often: nobody reads faster, and each costs the node a look at its record. */
const FOLLOW_PAUSE_MS = 700;
const HOT_PAUSE_MS = 3000;

const chain = new Chain();
const overview = new Overview(chain);
let genesis = null;
let followed = true;

const address = new URL("./", location.href);
address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
const connection = new Connection(address.href, { opened: () => attempt(begin), closed: () => showConnected(false) });

const panel = new BlockPanel(() => follow(false), tell);
const pipeline = new Pipeline(byId("pipeline"), (number) => visit(number, null));
const draw = onceAFrame(() => {
  overview.draw();
  pipeline.draw(chain);
  byId("no-blocks").hidden = chain.newestWorthSeeing()?.transactions > 0;
});
const openNewest = atMostEvery(FOLLOW_PAUSE_MS, () => attempt(showNewest));
const readHotspots = atMostEvery(HOT_PAUSE_MS, () => attempt(showHotspots));

/** Runs what needs the node; where the connection ends meanwhile, or the node fails, it all begins again with the next. */
async function attempt(action) {
  try {
    await action();
  } catch (error) {
    if (error instanceof RpcError) connection.restart();
    else if (!(error instanceof Disconnected)) throw error;
  }
}

async function begin() {
  const status = await connection.call("tandem_status");
  if (genesis !== null && genesis !== status.genesis) chain.clear();
  chain.interrupted();
  genesis = status.genesis;
  chain.finalized = status.heights.verified;
  overview.described(status);
  await connection.subscribe("newHeads", headed);
  await connection.subscribe("tandemBlocks", reached);
  await connection.subscribe("tandemConsensus", (picture) => overview.drawValidators(picture));
  await findBlocks();
  connection.isGood();
  showConnected(true);
  draw();
  await openLocation();
  readHotspots();
}

function headed(header) {
  chain.headed(header);
  draw();
}

function reached(change) {
  chain.reached(change);
  draw();
  if (change.state === "executed" && change.transactions > 0) {
    if (followed) openNewest();
    readHotspots();
  }
}

/** The newest blocks that were there before. */
async function findBlocks() {
  const latest = await connection.call("eth_getBlockByNumber", "latest", false);
  chain.headed(latest);
  chain.safe = Number((await connection.call("eth_getBlockByNumber", "safe", false)).number);
  const numbers = Array.from({ length: Math.min(BACKFILL_BLOCKS, chain.head) }, (_, back) => chain.head - back);
  const blocks = await Promise.all(
    numbers.map((number) => connection.call("eth_getBlockByNumber", hex(number), false)),
  );
  for (const block of blocks.reverse()) if (block) chain.found(block);
}

const hex = (number) => `0x${number.toString(16)}`;

async function showNewest() {
  const newest = chain.newestWorthSeeing();
  if (followed && newest?.transactions > 0) await openBlock(newest.number, null);
}

async function openBlock(number, hash) {
  try {
    const record = await connection.call("tandem_getBlockExecution", hex(number));
    if (record === null) {
      panel.showProblem(`Block ${number}`, "This chain has no such block, or nothing ran in it.");
      return;
    }
    if (hash === null && followed && number < panel.number) return;
    panel.show(record);
    if (hash) panel.selectHash(hash);
    pipeline.mark(number);
  } catch (error) {
    if (error instanceof Disconnected) throw error;
    panel.showProblem(`Block ${number}`, error.message);
  }
}

/** What a transaction's contracts logged, and why it failed if it did; nothing where it cannot be run again. */
async function tell({ hash, failure }) {
  try {
    const messages = await connection.call("tandem_getConsoleLogs", hash);
    return { messages, reason: failure ? await reasonOf(hash) : "" };
  } catch (error) {
    if (error instanceof Disconnected || error instanceof RpcError) return { messages: [], reason: "" };
    throw error;
  }
}

/** "execution reverted: not enough", or "out of gas". */
async function reasonOf(hash) {
  const options = { tracer: "callTracer", tracerConfig: { onlyTopCall: true } };
  const { error, revertReason } = await connection.call("debug_traceTransaction", hash, options);
  return revertReason ? `${error}: ${revertReason}` : (error ?? "");
}

async function showHotspots() {
  if (chain.head === 0) return;
  try {
    drawHotspots(
      await connection.call("tandem_getHotspots", hex(Math.max(1, chain.head - HOT_BLOCKS + 1)), hex(chain.head)),
    );
  } catch (error) {
    if (error instanceof Disconnected) throw error;
    byId("no-hotspots").hidden = true;
    setText(byId("hot-range"), error.message);
  }
}

/** Goes to a block, and to a transaction in it; the address says so, to be kept or sent to somebody. */
function visit(number, hash) {
  location.hash = hash ? `block/${number}/${hash}` : `block/${number}`;
}

async function openLocation() {
  const place = /^#block\/(\d+)(?:\/(0x[0-9a-f]{64}))?$/.exec(location.hash);
  follow(place === null);
  if (place) await openBlock(Number(place[1]), place[2] ?? null);
  else await showNewest();
}

function follow(wanted) {
  followed = wanted;
  byId("follow").setAttribute("aria-pressed", String(wanted));
}

function showConnected(connected) {
  document.documentElement.dataset.connected = connected;
  setText(byId("connection"), connected ? "live" : "reconnecting");
}

byId("follow").addEventListener("click", () => {
  const wanted = !followed;
  if (wanted) history.replaceState(null, "", location.pathname + location.search);
  follow(wanted);
  attempt(showNewest);
});
addEventListener("hashchange", () => attempt(openLocation));
searchField(connection, visit);
const url = new URL("./", location.href).href.replace(/\/$/, "");
setText(byId("rpc-url"), url);
setText(byId("traffic"), `scripts/tandem traffic CONTRACT 'transfer(address,uint256)' --hot 30% --url ${url}`);
