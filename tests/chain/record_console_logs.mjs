// Records what Hardhat's own decoder makes of console.log's calls, and the signatures of forge-std's library:
//   node record_console_logs.mjs console.sol...  > console_logs.json && gzip -9n console_logs.json
// with Hardhat installed in ../e2e/hardhat (Node 22), and the console.sol and console2.sol of forge-std's releases.
import { readFileSync } from "node:fs";
import { AbiCoder, randomBytes, hexlify, id, dataSlice, concat } from "../e2e/hardhat/node_modules/ethers/lib.esm/index.js";

const edr = "../e2e/hardhat/node_modules/hardhat/dist/src/internal/builtin-plugins/network-manager/edr/utils";
const { ConsoleLogger } = await import(`${edr}/console-logger.js`);
const { CONSOLE_LOG_SIGNATURES } = await import(`${edr}/console-log-signatures.js`);

const WORDS = ["", "plain", "two words", "100%", "%s", "%d of", "a %i b", "%s and %s", "%%s %s", "\u00e4\u20ac\u{1f600}", "x\ny", "\x1b[31mred"];
const pick = (values) => values[Math.floor(Math.random() * values.length)];
const VALUES = {
  uint256: () => BigInt(hexlify(randomBytes(pick([1, 8, 32])))),
  int256: () => pick([-1n, 1n]) * BigInt(hexlify(randomBytes(pick([1, 31])))),
  string: () => pick(WORDS),
  bool: () => pick([true, false]),
  address: () => hexlify(randomBytes(20)),
  bytes: () => hexlify(randomBytes(pick([1, 40]))),
};
const valueOf = (type) => (VALUES[type] ?? (() => hexlify(randomBytes(Number(type.slice(5))))))();
const encoded = (types, values) =>
  concat([dataSlice(id(`log(${types.join(",")})`), 0, 4), AbiCoder.defaultAbiCoder().encode(types, values)]);

const messages = Object.values(CONSOLE_LOG_SIGNATURES).map((named) => {
  const types = named.map((name) => name[0].toLowerCase() + name.slice(1));
  return encoded(types, types.map(valueOf));
});
for (const first of WORDS) messages.push(encoded(["string", "string", "uint256"], [first, "%s", 7n]));
const texts = messages.map((message) => ConsoleLogger.getDecodedLogs([Buffer.from(message.slice(2), "hex")])[0]);
const sources = process.argv.slice(2).map((path) => readFileSync(path, "utf8")).join("\n");
const signatures = [...new Set(sources.match(/(?<=")log\([a-z0-9,]*\)(?=")/g))].sort();
console.log(JSON.stringify({ hardhat: messages.map((message, at) => [message, texts[at]]), signatures }));
