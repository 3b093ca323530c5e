// What a tracer in JavaScript sees, as geth's documentation has it: values as big integers, bytes as Uint8Array.
// The outer function takes the tracer's source and what it may ask of Python, and gives the functions Python calls.
(function (source, askPython) {
  "use strict";

  class Big {
    constructor(value) { this.value = value; }
    static of(value, radix) {
      if (value instanceof Big) return value;
      if (typeof value !== "string") return new Big(BigInt(value === undefined ? 0 : value));
      if (radix === 16 && !/^-?0x/i.test(value)) return new Big(BigInt("0x" + value));
      return new Big(BigInt(value));
    }
    add(other) { return new Big(this.value + Big.of(other).value); }
    subtract(other) { return new Big(this.value - Big.of(other).value); }
    multiply(other) { return new Big(this.value * Big.of(other).value); }
    divide(other) { return new Big(this.value / Big.of(other).value); }
    mod(other) { return new Big(this.value % Big.of(other).value); }
    pow(other) { return new Big(this.value ** Big.of(other).value); }
    and(other) { return new Big(this.value & Big.of(other).value); }
    or(other) { return new Big(this.value | Big.of(other).value); }
    xor(other) { return new Big(this.value ^ Big.of(other).value); }
    not() { return new Big(~this.value); }
    negate() { return new Big(-this.value); }
    abs() { return new Big(this.value < 0n ? -this.value : this.value); }
    shiftLeft(bits) { return new Big(this.value << Big.of(bits).value); }
    shiftRight(bits) { return new Big(this.value >> Big.of(bits).value); }
    next() { return this.add(1); }
    prev() { return this.subtract(1); }
    compare(other) {
      const value = Big.of(other).value;
      return this.value < value ? -1 : this.value > value ? 1 : 0;
    }
    equals(other) { return this.compare(other) === 0; }
    notEquals(other) { return this.compare(other) !== 0; }
    greater(other) { return this.compare(other) > 0; }
    greaterOrEquals(other) { return this.compare(other) >= 0; }
    lesser(other) { return this.compare(other) < 0; }
    lesserOrEquals(other) { return this.compare(other) <= 0; }
    isZero() { return this.value === 0n; }
    isNegative() { return this.value < 0n; }
    isPositive() { return this.value > 0n; }
    isEven() { return (this.value & 1n) === 0n; }
    isOdd() { return !this.isEven(); }
    toJSNumber() { return Number(this.value); }
    toString(radix) { return this.value.toString(radix === undefined ? 10 : radix); }
    toJSON() { return this.toString(); }
    valueOf() { return Number(this.value); }
  }
  const SHORT = {
    plus: "add", minus: "subtract", times: "multiply", over: "divide", remainder: "mod", compareTo: "compare",
    eq: "equals", neq: "notEquals", gt: "greater", geq: "greaterOrEquals", lt: "lesser", leq: "lesserOrEquals",
  };
  for (const [short, long] of Object.entries(SHORT)) Big.prototype[short] = Big.prototype[long];

  const bytesOf = (hex) => Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.substr(2 * i, 2), 16));
  const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const big = (hex) => new Big(BigInt("0x" + hex));

  function given(value) {
    if (typeof value === "string") {
      const digits = value.replace(/^0x/i, "");
      return digits.length % 2 ? "0" + digits : digits;
    }
    if (value instanceof Uint8Array || Array.isArray(value)) return hexOf(Uint8Array.from(value));
    throw new TypeError("invalid buffer type");
  }
  const sized = (value, size) => given(value).padStart(2 * size, "0").slice(-2 * size);

  let precompiles = new Set();
  globalThis.bigInt = (value, radix) => Big.of(value, radix);
  globalThis.toHex = (value) => "0x" + given(value);
  globalThis.toWord = (value) => bytesOf(sized(value, 32));
  globalThis.toAddress = (value) => bytesOf(sized(value, 20));
  globalThis.toContract = (from, nonce) => bytesOf(askPython("contract", sized(from, 20), String(nonce)));
  globalThis.toContract2 = (from, salt, code) =>
    bytesOf(askPython("contract2", sized(from, 20), sized(salt, 32), given(code)));
  globalThis.isPrecompiled = (address) => precompiles.has(sized(address, 20));
  globalThis.slice = (value, start, end) => {
    const hex = given(value);
    if (start < 0 || start > end || 2 * end > hex.length)
      throw new RangeError(
        `Tracer accessed out of bound memory: available ${hex.length / 2}, offset ${start}, size ${end - start}`);
    return bytesOf(hex.slice(2 * start, 2 * end));
  };

  let now = {}, frame = {};
  const log = {
    op: {
      toNumber: () => now.op,
      toString: () => now.name,
      isPush: () => now.op >= 0x5f && now.op <= 0x7f,
    },
    stack: {
      length: () => now.stack.length,
      peek: (index) => {
        if (index < 0 || index >= now.stack.length)
          throw new RangeError(`tracer accessed out of bound stack: size ${now.stack.length}, index ${index}`);
        return big(now.stack[now.stack.length - 1 - index]);
      },
    },
    memory: {
      length: () => now.memory.length / 2,
      slice: (start, end) => {
        if (start === end) return new Uint8Array(0);
        if (start < 0 || end < start || end - start > 1048576)
          throw new RangeError(`tracer accessed out of bound memory: offset ${start}, end ${end}`);
        return bytesOf(now.memory.slice(2 * start, 2 * end).padEnd(2 * (end - start), "0"));
      },
      getUint: (offset) => {
        if (offset < 0 || 2 * (offset + 32) > now.memory.length)
          throw new RangeError(
            `tracer accessed out of bound memory: available ${now.memory.length / 2}, offset ${offset}, size 32`);
        return big(now.memory.slice(2 * offset, 2 * (offset + 32)));
      },
    },
    contract: {
      getCaller: () => bytesOf(frame.caller),
      getAddress: () => bytesOf(frame.address),
      getValue: () => big(frame.value),
      getInput: () => bytesOf(frame.input),
    },
    getPC: () => now.pc,
    getGas: () => now.gas,
    getCost: () => now.cost,
    getDepth: () => now.depth,
    getRefund: () => now.refund,
    getError: () => now.error || undefined,
  };
  const db = {
    getBalance: (address) => big(askPython("balance", sized(address, 20))),
    getNonce: (address) => Number(askPython("nonce", sized(address, 20))),
    getCode: (address) => bytesOf(askPython("code", sized(address, 20))),
    getState: (address, slot) => bytesOf(askPython("slot", sized(address, 20), sized(slot, 32))),
    exists: (address) => askPython("exists", sized(address, 20)) === "1",
  };
  const entered = {
    getType: () => now.type,
    getFrom: () => bytesOf(now.from),
    getTo: () => bytesOf(now.to),
    getInput: () => bytesOf(now.input),
    getGas: () => now.gas,
    getValue: () => (now.value === null ? undefined : big(now.value)),
  };
  const left = {
    getGasUsed: () => now.gasUsed,
    getOutput: () => bytesOf(now.output),
    getError: () => now.error || undefined,
  };

  const tracer = (0, eval)("(" + source + ")");
  const has = (name) => typeof Object(tracer)[name] === "function";
  const takesDb = (name, position) => has(name) && tracer[name].length > position;
  const told = (event) => {
    now = JSON.parse(event);
    if (now.frame) frame = now.frame;
  };
  const FUNCTIONS = {
    shape: () => JSON.stringify({
      has: ["result", "fault", "step", "enter", "exit", "setup"].filter(has),
      asksPython: ["step", "fault", "result"].some((name) => takesDb(name, 1)) || source.includes("toContract"),
    }),
    setup: (config) => { if (has("setup")) tracer.setup(config); },
    began: (addresses) => { precompiles = new Set(JSON.parse(addresses)); },
    step: (event) => { told(event); tracer.step(log, db); },
    fault: (event) => { told(event); tracer.fault(log, db); },
    enter: (event) => { told(event); tracer.enter(entered); },
    exit: (event) => { told(event); tracer.exit(left); },
    result: (event) => {
      const run = JSON.parse(event);
      for (const name of ["from", "to", "input", "output", "coinbase"]) run[name] = bytesOf(run[name]);
      for (const name of ["value", "gasPrice"]) run[name] = big(run[name]);
      const value = JSON.stringify(tracer.result(run, db));
      return value === undefined ? "null" : value;
    },
  };
  return (name, argument) => FUNCTIONS[name](argument);
})
