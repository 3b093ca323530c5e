// Elements out of values. Every text becomes a text node: what users write is never read as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** An HTML element; attributes that begin with "on" are listeners. */
export const html = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

/** An SVG element. */
export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

export const byId = (id) => document.getElementById(id);

/** Writes a text only where it differs, so that the browser has nothing to lay out anew. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A function that has `draw` run once before the next frame, however often it is asked to; never while hidden. */
export function onceAFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

/** What is asked of the node again and again may take a quarter of its time at most. */
const RESTS_PER_WORK = 3;

/**
 * A function that has `act` run at the next frame, never while the page is hidden, and then again only after a pause:
 * `pauseMs`, or longer where the last run took long. No timer lives without a call that waits for it.
 */
export function atMostEvery(pauseMs, act) {
  let busy = false;
  let waiting = false;
  const run = async () => {
    busy = true;
    waiting = false;
    const began = performance.now();
    try {
      await act();
    } finally {
      const pause = Math.max(pauseMs, RESTS_PER_WORK * (performance.now() - began));
      setTimeout(() => {
        busy = false;
        if (waiting) soon();
      }, pause);
    }
  };
  const soon = onceAFrame(() => busy || run());
  return () => {
    waiting = true;
    if (!busy) soon();
  };
}
