// Where everything of a block's timeline lies: plain values in and out, times in microseconds.

export const EXECUTION = "execution";

/** What an attempt's result looks like: the two that matter most, and all other ways to come to nothing. */
export const looks = (result) => (result === "accepted" || result === "conflict" ? result : "failed");

/**
 * Lanes of one record: each worker's by name, then execution's own. A bar is one attempt: `row` is above 0 where bars of
 * one lane overlap. A wait ends where its transaction's first attempt begins.
 */
export function lanesOf(record) {
  const critical = new Set(record.criticalPath ?? []);
  const lanes = new Map();
  for (const transaction of record.transactions) {
    transaction.attempts.forEach((attempt, index) => {
      const lane = laneOf(lanes, attempt.worker);
      const counted = attempt.result === "accepted";
      lane.bars.push({
        transaction,
        attempt,
        index,
        startUs: attempt.startUs,
        endUs: Math.max(attempt.endUs, attempt.startUs),
        look: looks(attempt.result),
        critical: counted && critical.has(transaction.position),
      });
      if (index === 0) lane.waits.push(...waitsOf(transaction, attempt));
    });
  }
  for (const lane of lanes.values()) lane.rows = stack(lane.bars);
  return [...lanes.values()].sort(
    (one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name, "en", { numeric: true }),
  );
}

const rank = ({ name }) => (name === EXECUTION ? 1 : 0);

function laneOf(lanes, name) {
  if (!lanes.has(name)) lanes.set(name, { name, bars: [], waits: [], rows: 1 });
  return lanes.get(name);
}

const waitsOf = (transaction, attempt) =>
  transaction.waits.map((wait) => ({
    transaction,
    wait,
    startUs: Math.max(0, attempt.startUs - wait.waitedUs),
    endUs: attempt.startUs,
  }));

/** Gives each bar the first row that is free, in order of time; returns how many rows that takes. */
function stack(bars) {
  bars.sort((one, other) => one.startUs - other.startUs || one.endUs - other.endUs);
  const ends = [];
  for (const bar of bars) {
    const free = ends.findIndex((end) => end <= bar.startUs);
    bar.row = free === -1 ? ends.length : free;
    ends[bar.row] = bar.endUs;
  }
  return Math.max(1, ends.length);
}

/** The whole of it, with a little room at the end. */
export function spanOf(record, lanes) {
  const ends = lanes.flatMap(({ bars }) => bars.map(({ endUs }) => endUs));
  const endUs = ends.reduce((latest, end) => Math.max(latest, end), Math.max(1, record.executionUs ?? 1));
  return { fromUs: 0, toUs: endUs * 1.01 };
}

/** From the run that counted of the writer to the run that lost by it; nothing where the writer is not of this block. */
export function arrowsOf(lanes) {
  const accepted = new Map();
  const lost = [];
  for (const bar of lanes.flatMap(({ bars }) => bars)) {
    if (bar.look === "accepted") accepted.set(bar.transaction.position, bar);
    if (bar.attempt.conflict?.writer) lost.push(bar);
  }
  return lost.flatMap((bar) => {
    const { writer, dependency } = bar.attempt.conflict;
    const from = accepted.get(writer.position);
    return from ? [{ from, to: bar, dependency }] : [];
  });
}

/**
 * What there is to draw of one row of bars between two times. Bars of one look that are closer together than can be seen
 * become one with all of them inside, so that a block of ten thousand transactions draws no more than the screen shows.
 */
export function drawable(bars, { fromUs, toUs }, usPerPixel) {
  const drawn = [];
  const last = new Map();
  for (const bar of bars) {
    if (bar.endUs < fromUs || bar.startUs > toUs) continue;
    const before = last.get(bar.row);
    const small = bar.endUs - bar.startUs < 2 * usPerPixel;
    if (small && before?.small && before.look === bar.look && bar.startUs - before.endUs < usPerPixel) {
      before.endUs = Math.max(before.endUs, bar.endUs);
      before.bars.push(bar);
      before.critical ||= bar.critical;
      before.small = before.endUs - before.startUs < 8 * usPerPixel;
    } else {
      const { startUs, endUs, look, critical, row } = bar;
      const one = { startUs, endUs, look, critical, row, small, bars: [bar] };
      drawn.push(one);
      last.set(row, one);
    }
  }
  return drawn;
}

/** Round times for the axis, at most `most` of them. */
export function ticks({ fromUs, toUs }, most) {
  const least = (toUs - fromUs) / Math.max(1, most);
  const decade = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((factor) => factor * decade).find((candidate) => candidate >= least);
  const marks = [];
  for (let at = Math.ceil(fromUs / step) * step; at <= toUs && marks.length <= most; at += step) marks.push(at);
  return marks;
}

/** A window `factor` times as long around a time, within the span. */
export function zoomed({ fromUs, toUs }, span, factor, aroundUs) {
  const whole = span.toUs - span.fromUs;
  const length = Math.min(whole, Math.max(whole / 2000, (toUs - fromUs) * factor));
  const share = (aroundUs - fromUs) / (toUs - fromUs);
  return shifted({ fromUs: aroundUs - share * length, toUs: aroundUs + (1 - share) * length }, span, 0);
}

/** The window moved by a time, within the span. */
export function shifted({ fromUs, toUs }, span, byUs) {
  const length = toUs - fromUs;
  const start = Math.min(Math.max(span.fromUs, fromUs + byUs), span.toUs - length);
  return { fromUs: start, toUs: start + length };
}
