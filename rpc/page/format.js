// Numbers, times and hashes as people read them.

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const count = (value) => GROUPED.format(value);

/** "1 transaction", "2 transactions". */
export const counted = (value, noun) => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

/** Microseconds in the unit that gives three figures. */
export function duration(us) {
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1_000_000) return `${figures(us / 1000)} ms`;
  return `${figures(us / 1_000_000)} s`;
}

const figures = (value) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);

export const milliseconds = (ms) => (ms < 10_000 ? `${count(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

export const times = (factor) => `${factor.toFixed(2)}×`;

export const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** 0x1234abcd…ef09 */
export const shortened = (hash, head = 6, tail = 4) =>
  hash.length <= head + tail + 3 ? hash : `${hash.slice(0, head + 2)}…${hash.slice(-tail)}`;

/** A word of 32 bytes as the number it most likely is, else in hex. */
export function word(value) {
  if (typeof value !== "string" || !/^0x[0-9a-f]+$/i.test(value)) return String(value);
  const number = BigInt(value);
  return number < 10n ** 30n ? number.toLocaleString("en") : shortened(value, 10, 6);
}
