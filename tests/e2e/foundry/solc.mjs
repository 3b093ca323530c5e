#!/usr/bin/env node
// npm's solc behind the few options of the native one that forge uses: --version and --standard-json.
import { readFileSync } from "node:fs";
import solc from "solc";

if (process.argv.includes("--version")) {
  const version = solc.version().replace(/\.Emscripten\.clang$/, ".Linux.g++");
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${version}`);
} else if (process.argv.includes("--standard-json")) {
  // forge puts every source into its request, so that no import is left to look up.
  process.stdout.write(solc.compile(readFileSync(0, "utf8")));
} else {
  console.error(`solc.mjs knows --version and --standard-json, not: ${process.argv.slice(2).join(" ")}`);
  process.exit(1);
}
