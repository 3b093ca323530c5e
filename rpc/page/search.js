// The search field: a block by number, a transaction or a block by hash.

import { byId, setText } from "./dom.js";

const HASH = /^0x[0-9a-f]{64}$/i;
const NUMBER = /^#?\d{1,15}$/;

/** `open` is called with a block number and the hash of a transaction in it, or null. */
export function searchField(connection, open) {
  const say = (problem) => setText(byId("search-problem"), problem);
  byId("search").addEventListener("input", () => say(""));
  byId("search-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = byId("search").value.trim();
    if (wanted === "") return;
    try {
      const found = await locate(connection, wanted);
      if (typeof found === "string") say(found);
      else open(found.number, found.hash);
    } catch (error) {
      say(error.message);
    }
  });
}

/** A block's number and a transaction's hash or null, or in words why there is none. */
async function locate(connection, wanted) {
  if (NUMBER.test(wanted)) return { number: Number(wanted.replace("#", "")), hash: null };
  if (!HASH.test(wanted)) return "Type a block number, or the hash of a transaction or a block (0x and 64 digits).";
  const hash = wanted.toLowerCase();
  const block = await connection.call("eth_getBlockByHash", hash, false);
  if (block) return { number: Number(block.number), hash: null };
  const { status, reason, block: number } = await connection.call("tandem_getTransactionStatus", hash);
  if (status === "included") return { number: Number(number), hash };
  if (status === "pending") return "This transaction is pending: it is in no block yet.";
  if (status === "evicted") return `This transaction was given up: ${reason}`;
  return "Neither a transaction nor a block of this chain has this hash.";
}
