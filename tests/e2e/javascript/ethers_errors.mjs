// ethers 6 and 5 match on a node's words: node ethers_errors.mjs HTTP_URL WS_URL PRIVATE_KEY TOKEN_ARTIFACT.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as v6 from "ethers";
import { ethers as v5 } from "ethers5";
import { check, report } from "./checks.mjs";

const [url, wsUrl, key, artifactPath] = process.argv.slice(2);
const { abi, bytecode: code } = JSON.parse(readFileSync(artifactPath, "utf8"));
const bytecode = code.object ?? code;
const STRANGER = "0x9999999999999999999999999999999999999998";
const GWEI = 10n ** 9n;
const TYPED = [{ name: "Shop", chainId: 31337 }, { Order: [{ name: "amount", type: "uint256" }] }, { amount: 1n }];

const providers = {
  "ethers 6": new v6.JsonRpcProvider(url, undefined, { pollingInterval: 30, cacheTimeout: -1, batchMaxCount: 20 }),
  "ethers 5": Object.assign(new v5.providers.JsonRpcProvider(url), { pollingInterval: 30 }),
};
const wallets = {
  "ethers 6": new v6.Wallet(key, providers["ethers 6"]),
  "ethers 5": new v5.Wallet(key, providers["ethers 5"]),
};
const tokens = {
  "ethers 6": await new v6.ContractFactory(abi, bytecode, wallets["ethers 6"]).deploy("Gold", "GLD"),
  "ethers 5": await new v5.ContractFactory(abi, bytecode, wallets["ethers 5"]).deploy("Gold", "GLD", { gasLimit: 3e6 }),
};
await tokens["ethers 6"].waitForDeployment();
await tokens["ethers 5"].deployed();

for (const [version, provider] of Object.entries(providers)) {
  const [wallet, token] = [wallets[version], tokens[version]];
  const poor = (version === "ethers 6" ? v6 : v5).Wallet.createRandom().connect(provider);
  const tried = (title, body) => check(`${version}: ${title}`, body);
  const refused = (sent, expected) =>
    assert.rejects(sent, (error) => {
      const seen = Object.fromEntries(Object.keys(expected).map((name) => [name, error[name]]));
      assert.deepEqual(seen, expected);
      return true;
    });
  const called = (name, ...args) => (version === "ethers 6" ? token[name].staticCall(...args) : token.callStatic[name](...args));

  await tried("what a transaction is refused for", async () => {
    const payment = { to: STRANGER, value: 1, gasLimit: 21000 };
    await refused(poor.sendTransaction({ to: STRANGER, value: 1 }), { code: "INSUFFICIENT_FUNDS" });
    await refused(poor.sendTransaction(payment), { code: "INSUFFICIENT_FUNDS" });
    await refused(wallet.sendTransaction({ ...payment, nonce: 0 }), { code: "NONCE_EXPIRED" });
  });
  await tried("a replacement that pays too little, and one that is taken", async () => {
    await provider.send("evm_setAutomine", [false]);
    const nonce = Number(await provider.send("eth_getTransactionCount", [wallet.address, "latest"]));
    const payment = (gwei, value) => {
      const fee = gwei * GWEI;
      return { to: STRANGER, value, nonce, gasLimit: 21000, maxFeePerGas: fee, maxPriorityFeePerGas: fee };
    };
    const first = await wallet.sendTransaction(payment(10n, 1));
    await refused(wallet.sendTransaction(payment(10n, 2)), { code: "REPLACEMENT_UNDERPRICED" });
    let replaced;
    first.wait().catch((error) => (replaced = error));
    const second = await wallet.sendTransaction(payment(30n, 2));
    while (!replaced) await provider.send("evm_mine", []);
    assert.deepEqual([replaced.code, replaced.replacement.hash], ["TRANSACTION_REPLACED", second.hash]);
    await provider.send("evm_setAutomine", [true]);
  });
  await tried("why a call, an estimate and a receipt failed", async () => {
    await refused(called("refuse", "nope"), { code: "CALL_EXCEPTION", reason: "nope" });
    const estimated = await token.refuse("nope").catch((error) => error);
    if (version === "ethers 6") assert.deepEqual([estimated.code, estimated.reason], ["CALL_EXCEPTION", "nope"]);
    else assert.deepEqual([estimated.code, estimated.error.reason], ["UNPREDICTABLE_GAS_LIMIT", "execution reverted: nope"]);
    const poorer = await called("transfer", STRANGER, 1).catch((error) => error);
    assert.equal(poorer.errorName ?? poorer.revert.name, "ERC20InsufficientBalance");
    const sent = await token.refuse("nope", { gasLimit: 100000 });
    const failed = await sent.wait().catch((error) => error);
    assert.deepEqual([failed.code, failed.receipt.status], ["CALL_EXCEPTION", 0]);
  });
  await tried("unlocked accounts send and sign", async () => {
    const signer = await provider.getSigner(1);
    const address = await signer.getAddress();
    assert.equal((await (await signer.sendTransaction({ to: STRANGER, value: 1 })).wait()).status, 1);
    const { verifyMessage, verifyTypedData } = version === "ethers 6" ? v6 : v5.utils;
    assert.equal(verifyMessage("hi", await signer.signMessage("hi")), address);
    assert.equal(verifyMessage("hi", await signer._legacySignMessage("hi")), address);
    const signed = version === "ethers 6" ? signer.signTypedData(...TYPED) : signer._signTypedData(...TYPED);
    assert.equal(verifyTypedData(...TYPED, await signed), address);
  });
  await tried("events are heard and found", async () => {
    const heard = new Promise((resolve) => token.once("Transfer", (from, to, value) => resolve(Number(value))));
    const told = new Promise((resolve) => provider.once("block", resolve));
    let both = false;
    const done = Promise.all([heard, told]).then(() => (both = true));
    while (!both) await (await token.mint(wallet.address, 7)).wait(); // until the first poll has begun to listen
    await done;
    assert.equal(await heard, 7);
    assert.ok((await token.queryFilter("Transfer", 0)).length >= 1);
    assert.ok((await token.queryFilter(token.filters.Transfer(null, wallet.address), -5)).length >= 1);
  });
  await tried("every type of transaction is sent", async () => {
    for (const type of [0, 1, 2]) {
      const sent = await wallet.sendTransaction({ to: STRANGER, value: 1, type, ...(type === 1 ? { accessList: [] } : {}) });
      assert.equal((await sent.wait()).type, type);
    }
  });
}

const provider = providers["ethers 6"];
await check("ethers 6: blocks by every tag, and what is not there", async () => {
  const latest = await provider.getBlock("latest", true);
  for (const tag of ["safe", "finalized", "pending", "earliest", 0, -1, latest.hash]) assert.ok(await provider.getBlock(tag), tag);
  assert.equal(await provider.getBlock(10 ** 7), null);
  assert.equal(await provider.getTransaction(v6.ZeroHash), null);
  assert.equal(await provider.getTransactionReceipt(v6.ZeroHash), null);
  await assert.rejects(provider.send("eth_nothing", []), (error) => error.code === "UNSUPPORTED_OPERATION");
});
await check("ethers 6: confirmations are waited for", async () => {
  const sent = await wallets["ethers 6"].sendTransaction({ to: STRANGER, value: 1n });
  await provider.send("hardhat_mine", ["0x5"]);
  assert.ok((await (await sent.wait(3)).confirmations()) >= 3);
});
await check("ethers 6: a socket tells of pending transactions, blocks and logs", async () => {
  const socket = new v6.WebSocketProvider(wsUrl);
  const events = ["pending", "block", { address: tokens["ethers 6"].target }];
  const heard = [];
  for (const event of events) heard.push(new Promise((resolve) => socket.on(event, resolve)));
  const signer = await socket.getSigner(2);
  assert.equal((await (await tokens["ethers 6"].connect(signer).mint(signer.address, 1)).wait()).status, 1);
  await Promise.all(heard);
  socket.websocket.close();
});
report();
