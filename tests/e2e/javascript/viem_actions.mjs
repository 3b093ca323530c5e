// The actions of viem's clients that the other programs leave out:
// node viem_actions.mjs HTTP_URL WS_URL PRIVATE_KEY TOKEN_ARTIFACT. It sends for the key alone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as viem from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { foundry } from "viem/chains";
import { check, report } from "./checks.mjs";

const [url, wsUrl, key, artifactPath] = process.argv.slice(2);
const artifact = JSON.parse(readFileSync(artifactPath, "utf8"));
const { abi } = artifact;
const bytecode = artifact.bytecode.object ?? artifact.bytecode;
const account = privateKeyToAccount(key);
const STRANGER = "0x9999999999999999999999999999999999999998";
const patiently = { retryCount: 0, timeout: 60_000 };
const options = { chain: foundry, pollingInterval: 50, cacheTime: 0 };
const http = viem.http(url, patiently);
const client = viem.createPublicClient({ ...options, transport: http });
const socket = viem.createPublicClient({ ...options, transport: viem.webSocket(wsUrl, patiently) });
const wallet = viem.createWalletClient({ ...options, account, transport: http });
const tester = viem.createTestClient({ ...options, mode: "anvil", transport: http });
const unlocked = viem.createWalletClient({ ...options, transport: http });

const mined = async (sent) => client.waitForTransactionReceipt({ hash: await sent });
const created = await mined(wallet.deployContract({ abi, bytecode, args: ["Gold", "GLD"] }));
const token = { address: viem.getAddress(created.contractAddress), abi };
const mint = (value) => wallet.writeContract({ ...token, functionName: "mint", args: [account.address, value] });
const call = (functionName, args = []) => ({ to: token.address, abi, functionName, args });
const minted = await mined(mint(10n));
const met = (kind) => (error) => {
  const found = error.walk((cause) => cause instanceof kind);
  assert.ok(found, `${kind.name} expected, not: ${error.message}`);
  return true;
};

await check("blocks are named by number, hash and tag", async () => {
  const { blockNumber, blockHash, transactionHash } = minted;
  const block = await client.getBlock({ blockNumber, includeTransactions: true });
  assert.equal(block.transactions[0].hash, transactionHash);
  for (const blockTag of ["latest", "safe", "finalized", "earliest", "pending"]) {
    assert.ok((await client.getBlock({ blockTag })).gasLimit > 0n, blockTag);
  }
  assert.equal((await client.getBlock({ blockHash })).hash, blockHash);
  assert.equal(await client.getBlockTransactionCount({ blockNumber }), 1);
  assert.equal((await client.getBlockReceipts({ blockNumber }))[0].transactionHash, transactionHash);
  await assert.rejects(client.getBlock({ blockNumber: 99999999n }), viem.BlockNotFoundError);
});
await check("transactions are found, or known to be missing", async () => {
  const { blockNumber, blockHash, transactionHash: hash } = minted;
  const transaction = await client.getTransaction({ hash });
  assert.deepEqual([transaction.type, transaction.chainId], ["eip1559", 31337]);
  assert.equal((await client.getTransaction({ blockNumber, index: 0 })).hash, hash);
  assert.equal((await client.getTransaction({ blockHash, index: 0 })).hash, hash);
  assert.ok((await client.getTransactionConfirmations({ hash })) >= 1n);
  assert.equal(viem.keccak256(await client.getRawTransaction({ hash })), hash);
  const missing = { hash: viem.pad("0x12") };
  await assert.rejects(client.getTransaction(missing), viem.TransactionNotFoundError);
  await assert.rejects(client.getTransactionReceipt(missing), viem.TransactionReceiptNotFoundError);
});
await check("state is read with proofs, by slots, and with what a call touches", async () => {
  const slot = viem.pad("0x2");
  const proof = await client.getProof({ address: token.address, storageKeys: [slot] });
  assert.deepEqual([proof.storageProof[0].value, proof.accountProof.length > 0], [10n, true]);
  const values = await client.getStorageValues({ requests: { [token.address]: [slot] } });
  assert.deepEqual(Object.values(values), [[viem.pad("0xa")]]);
  const data = viem.encodeFunctionData({ abi, functionName: "mint", args: [account.address, 1n] });
  const { accessList } = await client.createAccessList({ account, to: token.address, data });
  assert.equal(accessList[0].storageKeys.length, 2);
});
await check("fees are suggested", async () => {
  const { maxFeePerGas, maxPriorityFeePerGas } = await client.estimateFeesPerGas();
  assert.ok(maxFeePerGas >= maxPriorityFeePerGas);
  assert.ok((await client.estimateFeesPerGas({ type: "legacy" })).gasPrice > 0n);
  assert.equal((await client.getFeeHistory({ blockCount: 2, rewardPercentiles: [25, 75] })).reward.length, 2);
  assert.equal(await client.getBlobBaseFee(), 1n);
});
await check("whole blocks are simulated, and say why a call fails", async () => {
  const [block] = await client.simulateBlocks({
    blocks: [
      {
        stateOverrides: [{ address: STRANGER, balance: 10n ** 19n }],
        calls: [
          { account: STRANGER, to: account.address, value: 10n ** 18n },
          call("mint", [STRANGER, 3n]),
          call("refuse", ["not on a Sunday"]),
          call("balanceOf", [STRANGER]),
        ],
      },
    ],
  });
  assert.deepEqual(block.calls.map((done) => done.status), ["success", "success", "failure", "success"]);
  assert.equal(block.calls[3].result, 3n);
  assert.match(block.calls[2].error.message, /not on a Sunday/);
});
await check("asset changes are found by simulating", async () => {
  const { assetChanges } = await client.simulateCalls({
    account: account.address,
    traceAssetChanges: true,
    calls: [call("mint", [account.address, 77n]), { to: STRANGER, value: 5n }],
  });
  const changes = Object.fromEntries(assetChanges.map((change) => [change.token.symbol, change.value.diff]));
  assert.deepEqual(changes, { ETH: -5n, GLD: 77n });
});
await check("what has no code is called with code of its own", async () => {
  const code = viem.encodeDeployData({ abi, bytecode, args: ["Silver", "SLV"] });
  assert.equal(await client.readContract({ abi, code, functionName: "symbol" }), "SLV");
  const contracts = [1, 2].map(() => ({ ...token, functionName: "symbol" }));
  assert.deepEqual(await client.multicall({ contracts, allowFailure: false, deployless: true }), ["GLD", "GLD"]);
  const stateOverride = [{ address: STRANGER, code: "0x435f5260205ff3" }];
  const { data } = await client.call({ to: STRANGER, stateOverride, blockOverrides: { number: 777n } });
  assert.equal(BigInt(data), 777n);
});
await check("each refusal has its class", async () => {
  const poor = viem.createWalletClient({ ...options, account: privateKeyToAccount(generatePrivateKey()), transport: http });
  const payment = { to: STRANGER, value: 1n };
  const fees = { maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n };
  await assert.rejects(poor.sendTransaction(payment), met(viem.InsufficientFundsError));
  await assert.rejects(
    poor.sendTransaction({ ...payment, ...fees, gas: 21_000n, nonce: 0 }),
    met(viem.InsufficientFundsError),
  );
  await assert.rejects(wallet.sendTransaction({ ...payment, nonce: 0 }), met(viem.NonceTooLowError));
  await assert.rejects(wallet.sendTransaction({ ...payment, gas: 20_999n }), met(viem.IntrinsicGasTooLowError));
  const cheap = { account, ...payment, maxFeePerGas: 1n, maxPriorityFeePerGas: 0n };
  await assert.rejects(client.call(cheap), met(viem.FeeCapTooLowError));
  const nowhere = { address: STRANGER, abi, functionName: "totalSupply" };
  await assert.rejects(client.readContract(nowhere), met(viem.ContractFunctionZeroDataError));
  await assert.rejects(client.request({ method: "eth_nothing" }), met(viem.MethodNotFoundRpcError));
});
await check("filters tell of blocks, logs and pending transactions", async () => {
  const transfers = { event: viem.parseAbiItem("event Transfer(address indexed from, address indexed to, uint256 value)") };
  const blocks = await client.createBlockFilter();
  const pending = await client.createPendingTransactionFilter();
  const mine = { ...token, eventName: "Transfer", args: { to: account.address } };
  const logs = [await client.createContractEventFilter(mine), await client.createEventFilter(transfers)];
  const receipt = await mined(mint(11n));
  assert.ok((await client.getFilterChanges({ filter: blocks })).includes(receipt.blockHash));
  assert.ok((await client.getFilterChanges({ filter: pending })).includes(receipt.transactionHash));
  for (const filter of logs) assert.equal((await client.getFilterChanges({ filter }))[0].args.value, 11n);
  assert.equal((await client.getFilterLogs({ filter: logs[0] })).at(-1).args.value, 11n);
  for (const filter of [blocks, pending, ...logs]) assert.equal(await client.uninstallFilter({ filter }), true);
  assert.equal((await client.getContractEvents({ ...token, eventName: "Transfer", fromBlock: 0n })).length, 2);
  assert.equal((await client.getLogs({ address: token.address, blockHash: receipt.blockHash })).length, 1);
});
for (const [name, watcher] of Object.entries({ http: client, socket })) {
  await check(`everything is watched over ${name}`, async () => {
    const watched = ["Blocks", "BlockNumber", "Event", "ContractEvent", "PendingTransactions"];
    if (name === "socket") watched.push("BlockHeaders");
    const listeners = { Blocks: "onBlock", BlockNumber: "onBlockNumber", PendingTransactions: "onTransactions", BlockHeaders: "onBlockHeader" };
    const stops = [];
    const heard = watched.map(
      (kind) =>
        new Promise((resolve, reject) => {
          const tell = { [listeners[kind] ?? "onLogs"]: resolve, onError: reject };
          stops.push(watcher[`watch${kind}`]({ ...(kind.endsWith("Event") ? token : {}), ...tell }));
        }),
    );
    let all = false;
    const done = Promise.all(heard).then(() => (all = true));
    while (!all) await mined(mint(1n)); // over HTTP, watching begins whenever the first poll is answered
    await done;
    for (const stop of stops) stop();
  });
}
await check("requests in a batch are answered in their places", async () => {
  const batching = viem.createPublicClient({ ...options, transport: viem.http(url, { batch: true }) });
  const slots = Array.from({ length: 40 }, (_, slot) => batching.getStorageAt({ address: token.address, slot: viem.toHex(slot) }));
  const [chainId, number] = await Promise.all([batching.getChainId(), batching.getBlockNumber(), ...slots]);
  assert.deepEqual([chainId, number >= 1n], [31337, true]);
});
await check("unlocked accounts sign and send", async () => {
  const [owner] = await unlocked.requestAddresses();
  const message = "hello";
  const signature = await unlocked.signMessage({ account: owner, message });
  assert.equal(await client.verifyMessage({ address: owner, message, signature }), true);
  const typed = {
    domain: { name: "Shop", chainId: 31337 },
    types: { Order: [{ name: "amount", type: "uint256" }] },
    primaryType: "Order",
    message: { amount: 1n },
  };
  const signed = await unlocked.signTypedData({ account: owner, ...typed });
  assert.equal(await client.verifyTypedData({ address: owner, ...typed, signature: signed }), true);
  assert.equal((await mined(unlocked.sendTransaction({ account: owner, to: STRANGER, value: 1n }))).status, "success");
});
await check("every type is sent, and answered with its receipt if asked", async () => {
  const payment = { to: STRANGER, value: 1n };
  const accessList = [{ address: STRANGER, storageKeys: [viem.pad("0x1")] }];
  for (const type of ["legacy", "eip2930", "eip1559"]) {
    const listed = type === "eip2930" ? { accessList } : {};
    assert.equal((await wallet.sendTransactionSync({ ...payment, type, ...listed })).type, type);
  }
  const serializedTransaction = await wallet.signTransaction(await wallet.prepareTransactionRequest(payment));
  assert.equal((await wallet.sendRawTransactionSync({ serializedTransaction })).status, "success");
  assert.equal((await client.fillTransaction({ account, ...payment })).transaction.gas, 21_000n);
});
await check("an account is given code and loses it", async () => {
  for (const contractAddress of [token.address, viem.zeroAddress]) {
    const authorizationList = [await wallet.signAuthorization({ contractAddress, executor: "self" })];
    const sent = { to: account.address, data: viem.toFunctionSelector("symbol()"), authorizationList, gas: 200_000n };
    assert.equal((await mined(wallet.sendTransaction(sent))).type, "eip7702");
    const delegated = contractAddress === viem.zeroAddress ? undefined : contractAddress;
    assert.equal(await client.getDelegation({ address: account.address }), delegated);
  }
});
await check("a replacement is noticed, and one that pays too little refused", async () => {
  await tester.setAutomine(false);
  const nonce = await client.getTransactionCount({ address: account.address });
  const payment = (gwei) => {
    const fee = gwei * 10n ** 9n;
    return { to: STRANGER, value: 1n, nonce, gas: 21_000n, maxFeePerGas: fee, maxPriorityFeePerGas: fee };
  };
  const first = await wallet.sendTransaction(payment(10n));
  await assert.rejects(wallet.sendTransaction(payment(10n)), /already known/);
  await assert.rejects(wallet.sendTransaction({ ...payment(10n), value: 2n }), /replacement transaction underpriced/);
  let noticed, knowsFirst, isDone = false;
  const known = new Promise((resolve) => (knowsFirst = resolve));
  const transport = viem.http(url, {
    onFetchRequest: (_, { body }) => void (body.includes("eth_getTransactionByHash") && knowsFirst()),
  });
  const waiting = viem.createPublicClient({ ...options, transport });
  const waited = waiting.waitForTransactionReceipt({ hash: first, onReplaced: (replaced) => (noticed = replaced) });
  waited.finally(() => (isDone = true));
  await known;
  await client.getTransaction({ hash: first }); // asked after it, so that both have been answered
  const second = await wallet.sendTransaction(payment(20n));
  while (!isDone) await tester.mine({ blocks: 1 });
  assert.equal((await waited).transactionHash, second);
  assert.equal(noticed.reason, "repriced");
  await tester.setAutomine(true);
});
report();
