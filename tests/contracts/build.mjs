// Compiles src/*.sol and writes artifacts/<Contract>.json. Run after `npm ci` here and in ../e2e/hardhat, whose
// console.sol is imported: node build.mjs [--check]
// `--check` writes nothing and exits 1 when a committed artefact differs from what the sources give.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
const artifacts = join(here, "artifacts");

function compile(names) {
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(names.map((name) => [name, { content: readFileSync(join(here, "src", name), "utf8") }])),
    settings: {
      optimizer: { enabled: true, runs: 200 },
      // No metadata trailer: the bytecode then depends on the code alone, not on comments or paths.
      metadata: { appendCBOR: false, bytecodeHash: "none" },
      outputSelection: {
        "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences", "storageLayout"] },
      },
    },
  };
  const readImport = (path) => {
    const folders = ["src", "node_modules", "../e2e/hardhat/node_modules"];
    const file = folders.map((folder) => join(here, folder, path)).find(existsSync);
    return file ? { contents: readFileSync(file, "utf8") } : { error: `not found: ${path}` };
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }));
  const errors = (output.errors ?? []).filter((error) => error.severity === "error");
  if (errors.length > 0) {
    console.error(errors.map((error) => error.formattedMessage).join("\n"));
    process.exit(1);
  }
  return output.contracts;
}

// solc numbers AST nodes in every type name and entry; those numbers say nothing to a reader and change with any edit.
function readableLayout(layout) {
  const plain = (type) => type.replace(/(t_(?:contract|enum|struct|userDefinedValueType)\(\w+\))\d+/g, "$1");
  const readableEntry = ({ label, offset, slot, type }) => ({ label, offset, slot, type: plain(type) });
  const types = Object.entries(layout.types ?? {}).map(([name, type]) => [
    plain(name),
    Object.fromEntries(
      Object.entries(type).map(([key, value]) => [
        key,
        key === "members" ? value.map(readableEntry) : typeof value === "string" ? plain(value) : value,
      ]),
    ),
  ]);
  return { storage: layout.storage.map(readableEntry), types: Object.fromEntries(types) };
}

// By position instead of solc's AST numbers, for the same reason; most contracts have none.
function immutables(references) {
  const places = Object.values(references ?? {});
  return places.length === 0 ? {} : { immutableReferences: { ...places } };
}

const sources = readdirSync(join(here, "src")).filter((name) => name.endsWith(".sol")).sort();
const contracts = compile(sources);
const stale = [];
mkdirSync(artifacts, { recursive: true });
for (const source of sources) {
  for (const [contractName, contract] of Object.entries(contracts[source])) {
    const artifact = {
      contractName,
      abi: contract.abi,
      bytecode: `0x${contract.evm.bytecode.object}`,
      deployedBytecode: `0x${contract.evm.deployedBytecode.object}`,
      ...immutables(contract.evm.deployedBytecode.immutableReferences),
      storageLayout: readableLayout(contract.storageLayout),
    };
    const text = `${JSON.stringify(artifact, null, 1)}\n`;
    const path = join(artifacts, `${contractName}.json`);
    if (existsSync(path) && readFileSync(path, "utf8") === text) continue;
    stale.push(contractName);
    if (!process.argv.includes("--check")) writeFileSync(path, text);
  }
}
if (process.argv.includes("--check") && stale.length > 0) {
  console.error(`stale artefacts: ${stale.join(", ")}. Run: node build.mjs`);
  process.exit(1);
}
console.log(`${solc.version()}: ${stale.length === 0 ? "nothing to change" : `changed ${stale.join(", ")}`}`);
