// Every action of viem's test client that anvil and Hardhat have: node viem_test_client.mjs HTTP_URL.
// It leaves the chain as it began.
import assert from "node:assert/strict";
import { createTestClient, http, keccak256, pad, parseEther, publicActions, walletActions } from "viem";
import { foundry } from "viem/chains";
import { check, report } from "./checks.mjs";

const [url] = process.argv.slice(2);
const STRANGER = "0x9999999999999999999999999999999999999999";

for (const mode of ["anvil", "hardhat"]) {
  const transport = http(url, { retryCount: 0, timeout: 60_000 });
  const client = createTestClient({ mode, chain: foundry, transport, pollingInterval: 20, cacheTime: 0 })
    .extend(publicActions)
    .extend(walletActions);
  const [owner, guest] = await client.getAddresses();
  const tried = (title, body) => check(`${mode}: ${title}`, body);
  const mined = async () => {
    await client.mine({ blocks: 1 });
    return client.getBlock();
  };

  await tried("balance, code, nonce and storage are set", async () => {
    await client.setBalance({ address: STRANGER, value: parseEther("7") });
    await client.setCode({ address: STRANGER, bytecode: "0x60015f55" });
    await client.setNonce({ address: STRANGER, nonce: 420 });
    await client.setStorageAt({ address: STRANGER, index: 2, value: pad("0x45") });
    await client.setStorageAt({ address: STRANGER, index: keccak256("0x12"), value: pad("0x46") });
    assert.equal(await client.getBalance({ address: STRANGER }), parseEther("7"));
    assert.equal(await client.getCode({ address: STRANGER }), "0x60015f55");
    assert.equal(await client.getTransactionCount({ address: STRANGER }), 420);
    assert.equal(await client.getStorageAt({ address: STRANGER, slot: "0x2" }), pad("0x45"));
    assert.equal(await client.getStorageAt({ address: STRANGER, slot: keccak256("0x12") }), pad("0x46"));
    await client.setCode({ address: STRANGER, bytecode: "0x" });
  });

  await tried("anybody sends while impersonated, or unsigned", async () => {
    await client.impersonateAccount({ address: STRANGER });
    const hash = await client.sendTransaction({ account: STRANGER, to: guest, value: 1n });
    assert.equal((await client.waitForTransactionReceipt({ hash })).from, STRANGER);
    await client.stopImpersonatingAccount({ address: STRANGER });
    await assert.rejects(client.sendTransaction({ account: STRANGER, to: guest, value: 1n }));
    const unsigned = await client.sendUnsignedTransaction({ from: STRANGER, to: guest, value: 2n });
    assert.equal((await client.waitForTransactionReceipt({ hash: unsigned })).status, "success");
  });

  await tried("the next blocks have the time, leader, fee and limit that are set", async () => {
    const before = await client.getBlock();
    await client.increaseTime({ seconds: 420 });
    assert.ok((await mined()).timestamp >= before.timestamp + 420n);
    await client.setNextBlockTimestamp({ timestamp: before.timestamp + 1000n });
    await client.setCoinbase({ address: STRANGER });
    await client.setNextBlockBaseFeePerGas({ baseFeePerGas: 7_000_000_000n });
    await client.setBlockGasLimit({ gasLimit: 4_200_000n });
    const block = await mined();
    assert.deepEqual(
      [block.timestamp, block.miner, block.baseFeePerGas, block.gasLimit],
      [before.timestamp + 1000n, STRANGER, 7_000_000_000n, 4_200_000n],
    );
    await client.setBlockGasLimit({ gasLimit: before.gasLimit });
    await assert.rejects(client.setMinGasPrice({ gasPrice: 1n }), /1559/);
    await client.setLoggingEnabled(true);
  });

  await tried("blocks are made on request, spaced as asked", async () => {
    const before = await mined();
    await client.mine({ blocks: 3, interval: 10 });
    const after = await client.getBlock();
    assert.equal(after.number, before.number + 3n);
    assert.ok(after.timestamp >= before.timestamp + 20n);
  });

  await tried("what waits is shown and dropped", async () => {
    await client.setAutomine(false);
    assert.equal(await client.getAutomine(), false);
    const hash = await client.sendTransaction({ account: owner, to: STRANGER, value: 3n });
    assert.deepEqual(await client.getTxpoolStatus(), { pending: 1, queued: 0 });
    const [sent] = Object.values((await client.getTxpoolContent()).pending);
    assert.deepEqual(Object.values(sent).map((transaction) => transaction.hash), [hash]);
    assert.match(JSON.stringify(await client.inspectTxpool()), /3 wei/);
    await client.dropTransaction({ hash });
    assert.deepEqual(await client.getTxpoolStatus(), { pending: 0, queued: 0 });
    await client.setAutomine(true);
  });

  await tried("blocks are made by the clock", async () => {
    const before = await client.getBlockNumber();
    await client.setIntervalMining({ interval: 1 });
    await new Promise((resolve) => {
      const stop = client.watchBlockNumber({ onBlockNumber: (number) => number > before && (stop(), resolve()) });
    });
    await client.setIntervalMining({ interval: 0 });
    await client.setAutomine(true);
  });

  await tried("a snapshot is gone back to", async () => {
    const id = await client.snapshot();
    const number = await client.getBlockNumber();
    await client.setBalance({ address: STRANGER, value: 1n });
    await mined();
    await client.revert({ id });
    assert.equal(await client.getBlockNumber(), number);
    assert.ok((await client.getBalance({ address: STRANGER })) > 1n);
  });

  if (mode === "anvil") {
    await tried("blocks are spaced evenly", async () => {
      await client.setBlockTimestampInterval({ interval: 5 });
      const before = await mined();
      await client.mine({ blocks: 2 });
      assert.equal((await client.getBlock()).timestamp, before.timestamp + 10n);
      await client.removeBlockTimestampInterval();
    });

    await tried("a state is dumped and loaded", async () => {
      const state = await client.dumpState();
      await client.setBalance({ address: STRANGER, value: 12345n });
      await client.loadState({ state });
      assert.notEqual(await client.getBalance({ address: STRANGER }), 12345n);
    });
  }

  await tried("the chain begins anew", async () => {
    await client.reset();
    assert.equal(await client.getBlockNumber(), 0n);
    assert.equal(await client.getBalance({ address: STRANGER }), 0n);
  });
}
report();
