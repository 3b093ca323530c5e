// What a person does with the page; each gives what there is to see then. `node scenarios.mjs NAME ARGUMENT…` prints it.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { look } from "./browser.mjs";
import { execution, hotspots } from "./fixture.mjs";

const text = (page, selector) => page.locator(selector).innerText();
const texts = (page, selector) => page.locator(selector).allInnerTexts();

async function rpc(url, method, ...params) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const answer = await (await fetch(url, { method: "POST", body })).json();
  if (answer.error) throw new Error(answer.error.message);
  return answer.result;
}

async function transfer(url) {
  const [from, to] = await rpc(url, "eth_accounts");
  const hash = await rpc(url, "eth_sendTransaction", { from, to, value: "0x1" });
  let receipt;
  do receipt = await rpc(url, "eth_getTransactionReceipt", hash);
  while (receipt === null);
  return { hash, number: Number(receipt.blockNumber) };
}

const row = (page, number) => page.locator("#pipeline tbody tr", { hasText: `#${number}` }).first();
const verified = (page, number) => row(page, number).locator(".state.verified.passed");
const stated = (name) => ({
  tandem_getBlockExecution: { result: execution(name) },
  tandem_getHotspots: { result: hotspots(name) },
});

/** On a chain without a transaction, then with some. */
async function follows(url) {
  return look(url, {}, async (page) => {
    await page.locator("#head", { hasText: "0" }).waitFor();
    const before = { head: await text(page, "#head"), hint: await text(page, "#no-blocks") };
    const { number, hash } = await transfer(url);
    await verified(page, number).waitFor();
    await page.locator("#finalized", { hasText: String(number) }).waitFor();
    await page.locator("#block-title", { hasText: `Block ${number}` }).waitFor();
    const states = await row(page, number).locator(".state").allInnerTexts();
    const after = { head: await text(page, "#head"), states, opened: await text(page, "#block-title") };
    await page.fill("#search", hash);
    await page.press("#search", "Enter");
    await page.locator("#transactions tr.selected").waitFor();
    const found = { address: new URL(page.url()).hash, explanation: await text(page, "#explanation") };
    await page.fill("#search", "0x" + "12".repeat(32));
    await page.press("#search", "Enter");
    await page.locator("#search-problem", { hasText: "hash" }).waitFor();
    const validators = await text(page, "#validators");
    await rpc(url, "tandem_killValidator", 2);
    await page.locator("#validators", { hasText: "3 of 4 up" }).waitFor();
    return {
      number,
      hash,
      before,
      after,
      found,
      unknown: await text(page, "#search-problem"),
      validators,
      gone: await page.locator(".validator.down").getAttribute("title"),
    };
  });
}

/** A block with conflicts, waits, a lost worker and a transaction left out. */
async function shows_conflicts(url) {
  await transfer(url);
  return look(url, { answers: stated("Token") }, async (page) => {
    await page.goto(`${url}/#block/1`);
    const bars = page.locator("#timeline .bar");
    await bars.first().waitFor();
    const lost = page.locator("#timeline .bar.conflict").first();
    await lost.hover();
    const arrow = await page.locator("#timeline .arrow.active").getAttribute("class");
    await lost.click();
    const explanation = await text(page, "#explanation");
    await page.keyboard.press("ArrowDown");
    const below = await page.locator(":focus").getAttribute("aria-label");
    await page.selectOption("#kind", "waits");
    const waited = await texts(page, "#transactions .badge.wait");
    await page.selectOption("#kind", "left-out");
    await page.locator("#found", { hasText: "1 of 5" }).waitFor();
    return {
      bars: await bars.evaluateAll((all) => all.map((bar) => bar.getAttribute("class").split(" ")[1])),
      labels: await bars.evaluateAll((all) => all.map((bar) => bar.getAttribute("aria-label"))),
      lanes: await page.locator(".lane-name").allTextContents(),
      critical: await page.locator(".bar.critical").count(),
      waits: await page.locator("#timeline rect.wait").count(),
      arrow,
      explanation,
      below,
      facts: await texts(page, "#block-facts .fact"),
      waited,
      notice: await text(page, "#serial-from"),
      leftOut: await texts(page, "#transactions tbody tr"),
      hot: await texts(page, "#hotspots li"),
      advice: await texts(page, "#advice li"),
    };
  });
}

/** A block of the chain with conflicts over one variable. */
async function shows_a_block(url, number) {
  return look(url, {}, async (page) => {
    await page.goto(`${url}/#block/${number}`);
    const lost = page.locator("#timeline .bar.conflict");
    await lost.first().waitFor();
    const drawn = (bars) => bars.evaluateAll((all) => all.reduce((sum, bar) => sum + bar.drawn.bars.length, 0));
    const counts = { attempts: await drawn(page.locator("#timeline .bar")), conflicts: await drawn(lost) };
    await page.selectOption("#kind", "conflicts");
    await page.locator("#transactions tbody button").first().click();
    await page.locator("#hotspots li").first().waitFor();
    const hot = await texts(page, "#hotspots li");
    return { counts, explanation: await text(page, "#explanation"), hot, advice: await text(page, "#advice") };
  });
}

/** A transaction whose contract logs, and then another bar's words and back. */
async function shows_logs(url, number, hash) {
  return look(url, {}, async (page) => {
    await page.goto(`${url}/#block/${number}/${hash}`);
    await page.locator(".logged li").first().waitFor();
    const messages = await texts(page, ".logged li bdi");
    await page.locator("#timeline .bar").first().hover();
    await page.mouse.move(0, 0);
    return { messages, again: await texts(page, ".logged li bdi") };
  });
}

/** A transaction that failed, alone in its block. */
async function shows_a_failure(url, number, hash) {
  return look(url, {}, async (page) => {
    await page.goto(`${url}/#block/${number}/${hash}`);
    await page.selectOption("#kind", "failed");
    await page.locator("#found", { hasText: "1 transaction" }).waitFor();
    await page.locator("#explanation .facts .badge.bad", { hasText: /invalid|reverted:/ }).waitFor();
    return {
      marks: await texts(page, "#transactions .badge.bad"),
      told: await texts(page, "#explanation .facts .badge.bad"),
    };
  });
}

/** Names and reasons that would be markup, if anything were. */
async function shows_markup_as_text(url) {
  const name = `<img src=x onerror="alert(1)"><script>alert(2)</script>`;
  await transfer(url);
  const problem = { tandem_getTransactionStatus: { result: { status: "evicted", reason: name, block: null } } };
  return look(url, { answers: { ...stated(name), ...problem } }, async (page) => {
    await page.goto(`${url}/#block/1`);
    await page.locator("#timeline .bar.conflict").first().click();
    await page.fill("#search", "0x" + "12".repeat(32));
    await page.press("#search", "Enter");
    await page.locator("#search-problem", { hasText: "given up" }).waitFor();
    return {
      name,
      shown: [
        await text(page, "#explanation"),
        await text(page, "#search-problem"),
        (await texts(page, "#transactions tbody tr")).join(" "),
        (await texts(page, "#hotspots li")).join(" "),
        await text(page, "#advice"),
      ],
      images: await page.locator("main img").count(),
      scripts: await page.locator("main script").count(),
    };
  });
}

/** rpc, whose process is given, is killed while the page is open. */
async function survives_a_restart(url, pid) {
  return look(url, {}, async (page) => {
    process.kill(Number(pid), "SIGKILL");
    await page.locator("html[data-connected=false]").waitFor();
    await page.locator("html[data-connected=true]").waitFor();
    const { number } = await transfer(url);
    await verified(page, number).waitFor();
    return { number, head: await text(page, "#head") };
  });
}

/** What the system's colours and the button make of it. */
async function has_two_themes(url) {
  const colours = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const seen = async (page) => {
    const system = await colours(page);
    await page.click("#theme");
    const chosen = await colours(page);
    await page.reload();
    const kept = await colours(page);
    await page.click("#theme");
    return { system, chosen, kept, back: await colours(page) };
  };
  const light = await look(url, { colorScheme: "light" }, seen);
  return { light, dark: await look(url, { colorScheme: "dark" }, seen) };
}

/** On a telephone nothing is wider than the screen, and no heading of the pipeline runs into the next. */
async function fits_a_telephone(url) {
  return look(url, { answers: stated("Token"), viewport: { width: 360, height: 740 } }, async (page) => {
    await page.goto(`${url}/#block/1`);
    await page.locator("#timeline .bar").first().waitFor();
    return page.evaluate(() => ({
      width: document.documentElement.scrollWidth,
      cut: [...document.querySelectorAll("#pipeline thead th")]
        .filter((heading) => heading.scrollWidth > heading.clientWidth)
        .map((heading) => heading.textContent),
    }));
  });
}

/** How many messages come and go while nothing happens on the chain, once the page has all it shows. */
async function rests(url) {
  const { number } = await transfer(url);
  return look(url, {}, async (page) => {
    const messages = [];
    page.on("websocket", (socket) => {
      socket.on("framesent", () => messages.push("sent"));
      socket.on("framereceived", () => messages.push("received"));
    });
    await page.reload();
    await page.locator("#validators", { hasText: "up" }).waitFor();
    await page.locator("#hot-range", { hasText: "blocks" }).waitFor();
    await page.locator("#finalized", { hasText: String(number) }).waitFor();
    let before;
    do {
      before = messages.length;
      await page.waitForTimeout(700);
    } while (messages.length > before);
    await page.waitForTimeout(1500);
    return { at_first: before, later: messages.length - before };
  });
}

/**
 * Pictures of the page in both themes, as `page-light.png` and `page-dark.png` in a folder, while and after a command ran
 * that makes blocks and prints the number of the one to show.
 */
async function is_drawn(url, folder, ...command) {
  return look(url, {}, async (page) => {
    const [program, ...values] = command;
    const { stdout } = await promisify(execFile)(program, values);
    const number = Number(stdout);
    await page
      .locator("#finalized", { hasText: Number(await rpc(url, "eth_blockNumber")).toLocaleString("en") })
      .waitFor();
    await page.evaluate((number) => (location.hash = `block/${number}`), number);
    await page.locator("#block-title", { hasText: `Block ${number}` }).waitFor();
    await page.selectOption("#kind", "conflicts");
    await page.locator("#transactions tbody button").last().click();
    await page.selectOption("#kind", "all");
    await page.locator("#transactions tr.selected").waitFor({ state: "attached" });
    await page.mouse.move(0, 0);
    await page.locator("#hotspots li").first().waitFor();
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${folder}/page-${colorScheme}.png`, animations: "disabled" });
    }
    return { number };
  });
}

const SCENARIOS = {
  follows,
  shows_conflicts,
  shows_a_block,
  shows_logs,
  shows_a_failure,
  shows_markup_as_text,
  survives_a_restart,
  has_two_themes,
  fits_a_telephone,
  rests,
  is_drawn,
};

const [name, ...values] = process.argv.slice(2);
console.log(JSON.stringify(await SCENARIOS[name](...values)));
