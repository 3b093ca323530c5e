// Chromium with the page open in it, and everything that went wrong there.

import { chromium } from "playwright-core";

const PATIENCE_MS = 120_000;

/**
 * Runs `look` with the page at `url` open, and returns what it returns, with the errors in the console, the addresses
 * elsewhere that were asked for, and the dialogs. `answers` replaces the node's answers to single methods.
 */
export async function look(url, { answers = {}, ...options }, look) {
  const root = process.getuid() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: root, timeout: PATIENCE_MS });
  try {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const seen = { errors: [], elsewhere: [], dialogs: [] };
    page.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
    page.on("pageerror", (error) => seen.errors.push(error.stack));
    page.on(
      "request",
      (request) => new URL(request.url()).host === new URL(url).host || seen.elsewhere.push(request.url()),
    );
    page.on("dialog", (dialog) => seen.dialogs.push(dialog.message()) && dialog.dismiss());
    await page.routeWebSocket(/./, (socket) => replaceAnswers(socket, answers));
    await page.goto(url);
    await page.locator("#connection", { hasText: "live" }).waitFor();
    return { ...(await look(page)), ...seen };
  } finally {
    await browser.close();
  }
}

function replaceAnswers(socket, answers) {
  const node = socket.connectToServer();
  socket.onMessage((text) => {
    const { id, method } = JSON.parse(text);
    if (method in answers) socket.send(JSON.stringify({ jsonrpc: "2.0", id, ...answers[method] }));
    else node.send(text);
  });
}
