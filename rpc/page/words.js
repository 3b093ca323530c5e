// What happened to a transaction, in words.

import { count, counted, duration, shortened, word } from "./format.js";
import { html } from "./dom.js";

const SHOWN_MESSAGES = 50;
const RESULTS = {
  accepted: "accepted",
  conflict: "lost by a conflict",
  aborted: "thrown away before its turn came",
  notIncludable: "not includable when its turn came",
  parentHashPending: "asked for the parent's hash before it was known",
  engineFailed: "the engine failed",
  workerLost: "the worker was lost",
  timedOut: "took too long",
};
const KINDS = {
  nonce: "nonce",
  balance: "balance",
  code: "code",
  slot: "slot",
  balanceAtLeast: "balance (at least)",
  emptiness: "existence",
  account: "lock",
};
const DEPENDENCIES = {
  real: "a real dependency: it reads what an earlier transaction of the block writes",
  artefact: "an artefact of the strategy: run one after the other they would not have met",
};

const FAILURES = { reverted: "reverted", allGasUsed: "used all its gas" };

/** What its receipt tells of a transaction that failed. */
export const failureInWords = (failure) => FAILURES[failure] ?? failure;

export const resultInWords = (result) => RESULTS[result] ?? result;

/** The variable where its name is known, else which part of which account; `contract` is that one's name or null. */
export function variableOf({ variable, kind, address, slot, contract }) {
  const account = contract ?? shortened(address);
  return variable ?? `${slot ? `slot ${word(slot)}` : (KINDS[kind] ?? kind)} of ${account}`;
}

/** What a transaction calls: "Token.transfer", "0x1234…abcd", or that it creates. */
export function callOf({ to, contract, function: called }) {
  if (!to) return "creates a contract";
  const target = contract ?? shortened(to);
  return called ? `${target}.${called.split("(")[0]}` : target;
}

/** One line for a bar, for those who hear it. */
export function attemptInWords({ transaction, attempt, index }, lane) {
  const when = `from ${duration(attempt.startUs)} to ${duration(attempt.endUs)}`;
  const why = attempt.conflict ? ` on ${variableOf(attempt.conflict)}` : "";
  return `transaction ${transaction.position}, attempt ${index + 1} on ${lane}, ${when}: ${resultInWords(attempt.result)}${why}`;
}

const NAMED_VARIABLES = 3;

/** What held the block's transactions up, by variable, most lost time first. */
export function blockInWords({ transactions }) {
  const lost = new Map();
  const add = (cause, us) => {
    const variable = variableOf(cause);
    const seen = lost.get(variable) ?? { variable, times: 0, us: 0 };
    lost.set(variable, { variable, times: seen.times + 1, us: seen.us + us });
  };
  for (const { attempts, waits } of transactions) {
    for (const { conflict, threadUs } of attempts) if (conflict) add(conflict, threadUs);
    for (const wait of waits) add(wait, wait.waitedUs);
  }
  const most = [...lost.values()].sort((one, other) => other.us - one.us || other.times - one.times);
  const items = most
    .slice(0, NAMED_VARIABLES)
    .map(({ variable, times, us }) =>
      html(
        "li",
        {},
        html("bdi", { class: "variable" }, variable),
        ` held up ${counted(times, "attempt")}, ${duration(us)} lost`,
      ),
    );
  const others = most.length - items.length;
  if (others > 0) items.push(html("li", {}, `and ${counted(others, "other variable")}`));
  if (items.length === 0)
    items.push(html("li", {}, "No transaction of this block met another: nothing was run twice or waited."));
  const hint = "Point at a bar, or choose a transaction, to see what happened to it.";
  return [html("ul", { class: "attempts" }, items), html("p", { class: "hint" }, hint)];
}

/**
 * All that is known of one transaction, as elements. `choose` is called with the position of another one; `reason` is
 * why it failed, empty where that is not known.
 */
export function transactionInWords(transaction, reason, choose) {
  const { hash, position, from, gasUsed, leftOut, failure } = transaction;
  const facts = [
    html("b", {}, `#${position}`),
    html("bdi", { class: "call" }, callOf(transaction)),
    html("code", { title: hash }, shortened(hash, 8, 6)),
  ];
  if (from) facts.push(html("span", {}, "from ", html("code", { title: from }, shortened(from))));
  if (gasUsed) facts.push(html("span", {}, `${count(gasUsed)} gas`));
  if (failure) facts.push(html("span", { class: "badge bad" }, html("bdi", {}, reason || failureInWords(failure))));
  if (leftOut) facts.push(html("span", { class: "badge bad" }, "left out: ", html("bdi", {}, leftOut)));
  const attempts = transaction.attempts.map((attempt, index) => attemptItem(attempt, index, choose));
  const waits = transaction.waits.map((wait) => waitItem(wait, choose));
  return [html("p", { class: "facts" }, facts), html("ol", { class: "attempts" }, waits, attempts)];
}

/** What contracts logged by console.log, as elements. */
export function messagesInWords(messages) {
  if (messages.length === 0) return [];
  const items = messages
    .slice(0, SHOWN_MESSAGES)
    .map(({ address, message }) =>
      html("li", {}, html("code", { title: address }, shortened(address)), " ", html("bdi", {}, plain(message))),
    );
  const more = messages.length - items.length;
  if (more > 0) items.push(html("li", {}, `and ${count(more)} more, which tandem_getConsoleLogs gives`));
  return [html("p", { class: "hint" }, "console.log"), html("ol", { class: "logged" }, items)];
}

/** Without the colours that forge-std's StdStyle writes for terminals. */
const plain = (message) => message.replaceAll(/\x1b\[[0-9;]*m/g, "");

function attemptItem({ worker, startUs, endUs, threadUs, result, conflict }, index, choose) {
  const thread = threadUs ? `, ${duration(threadUs)} of thread time` : "";
  const look = result === "accepted" ? "good" : "bad";
  const head = [
    html("span", { class: `badge ${look}` }, resultInWords(result)),
    ` attempt ${index + 1} on `,
    html("bdi", {}, worker),
    `, ${duration(startUs)} to ${duration(endUs)}${thread}`,
  ];
  return html("li", {}, head, conflict ? conflictIn(conflict, choose) : null);
}

function conflictIn(conflict, choose) {
  const { read, found, variables, writer, dependency } = conflict;
  const differing = variables.length ? variables : [{ variable: variableOf(conflict), read, found }];
  return html(
    "div",
    { class: "why" },
    "read ",
    differing.flatMap((one, place) => [place ? "; " : "", ...difference(one)]),
    " was there when its turn came",
    writer ? [", written by ", link(writer, choose)] : ", written before the block's transactions",
    ` — ${DEPENDENCIES[dependency] ?? dependency}`,
  );
}

function difference({ variable, read, found }) {
  return [
    html("bdi", { class: "variable" }, variable),
    " = ",
    html("code", { title: read }, word(read)),
    ", but ",
    html("code", { title: found }, word(found)),
  ];
}

function waitItem(wait, choose) {
  const behind = wait.for ? [" for ", link(wait.for, choose)] : [];
  return html(
    "li",
    {},
    html("span", { class: "badge wait" }, "waited"),
    ` ${duration(wait.waitedUs)}`,
    behind,
    " because of ",
    html("bdi", { class: "variable" }, variableOf(wait)),
    ` — ${DEPENDENCIES[wait.dependency] ?? wait.dependency}`,
  );
}

const link = ({ position, hash }, choose) =>
  html("button", { type: "button", class: "link", title: hash, onclick: () => choose(position) }, `#${position}`);
