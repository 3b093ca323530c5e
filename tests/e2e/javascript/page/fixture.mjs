// A block with every kind of trouble, and hot variables, in the shapes of the tandem_* methods.

const ETHER_HASH = (digit) => `0x${String(digit).padStart(64, "0")}`;
const ADDRESS = (digit) => `0x${String(digit).padStart(40, "0")}`;

function attempt(worker, startUs, endUs, result = "accepted", conflict = null) {
  return { worker, startUs, endUs, threadUs: endUs - startUs, result, conflict };
}

function transaction(position, attempts, { name = "Token", waits = [], leftOut = null } = {}) {
  return {
    hash: ETHER_HASH(position + 1),
    position,
    transactionIndex: leftOut === null ? position : null,
    from: ADDRESS(position + 1),
    to: ADDRESS(99),
    contract: name,
    function: "transfer(address,uint256)",
    gasUsed: leftOut === null ? 51_000 + position : null,
    leftOut,
    failure: null,
    attempts,
    waits,
  };
}

const supply = { kind: "slot", address: ADDRESS(99), slot: "0x2" };

/** `name` is that of the contract, and part of all others. */
export function execution(name) {
  const variable = `${name}.totalSupply`;
  const writer = { position: 0, hash: ETHER_HASH(1) };
  const variables = [
    { variable, read: "0x64", found: "0x69" },
    { variable: `${name}.paused`, read: "0x0", found: "0x1" },
  ];
  const slot = { read: "0x0064", found: "0x0169", variables };
  const lost = { ...supply, contract: name, variable, ...slot, writer, dependency: "real" };
  const artefact = { ...lost, variables: [], dependency: "artefact", writer: null };
  const wait = { ...supply, contract: name, variable: null, for: writer, waitedUs: 400, dependency: "artefact" };
  return {
    number: 1,
    hash: ETHER_HASH("b1"),
    strategy: "optimistic",
    workers: 2,
    executionUs: 2600,
    threadUs: 3300,
    serialUs: 3120,
    serialTime: "measured",
    speedup: 1.2,
    criticalPathUs: 900,
    criticalPath: [0, 1],
    attempts: 7,
    conflicts: 2,
    serialFrom: 3,
    leftOut: 1,
    transactions: [
      transaction(0, [attempt("worker-1", 100, 700)], { name }),
      transaction(1, [attempt("worker-2", 110, 600, "conflict", lost), attempt("execution", 1500, 1900)], { name }),
      transaction(2, [attempt("worker-2", 1010, 1400, "conflict", artefact), attempt("execution", 1910, 2200)], {
        name,
        waits: [wait],
      }),
      transaction(3, [attempt("worker-1", 710, 1300, "workerLost"), attempt("execution", 2210, 2500)], { name: null }),
      transaction(4, [], { name, leftOut: `nonce too low in ${name}` }),
    ],
  };
}

export const hotspots = (name) => ({
  from: 1,
  to: 1,
  blocks: 1,
  transactions: 5,
  attempts: 7,
  conflicts: 2,
  lostUs: 1300,
  hotspots: [
    {
      ...supply,
      contract: name,
      variable: `${name}.totalSupply`,
      transactions: 4,
      conflicts: 2,
      waits: 1,
      lostUs: 1300,
      functions: [{ function: "transfer(address,uint256)", count: 4 }],
      dependency: "real",
    },
  ],
  advice: [`4 of 5 transfers waited for ${name}.totalSupply.`],
});
