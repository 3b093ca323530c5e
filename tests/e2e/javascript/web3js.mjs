// web3.js 4 over HTTP and WebSocket: node web3js.mjs HTTP_URL WS_URL PRIVATE_KEY TOKEN_ARTIFACT.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Web3, WebSocketProvider } from "web3";
import { check, report } from "./checks.mjs";

const [url, wsUrl, key, artifactPath] = process.argv.slice(2);
const { abi, bytecode: code } = JSON.parse(readFileSync(artifactPath, "utf8"));
const STRANGER = "0x9999999999999999999999999999999999999998";
const TYPED = {
  types: { EIP712Domain: [{ name: "name", type: "string" }], Order: [{ name: "amount", type: "uint256" }] },
  primaryType: "Order",
  domain: { name: "Shop" },
  message: { amount: 1 },
};

for (const [name, provider] of Object.entries({ http: url, socket: new WebSocketProvider(wsUrl) })) {
  const web3 = new Web3(provider);
  const { eth } = web3;
  eth.setConfig({ transactionPollingInterval: 30, transactionReceiptPollingInterval: 30 });
  const owner = eth.accounts.wallet.add(key)[0].address;
  const unlocked = (await eth.getAccounts())[1];
  const token = await new eth.Contract(abi)
    .deploy({ data: code.object ?? code, arguments: ["Gold", "GLD"] })
    .send({ from: owner });
  const tried = (title, body) => check(`${name}: ${title}`, body);
  const reasonOf = async (attempt) => {
    const error = await attempt.then(() => assert.fail("it was to fail"), (failed) => failed);
    return [error.message, error.cause?.message, error.cause?.errorName, error.reason].join(" ");
  };

  await tried("own keys and unlocked accounts send, and events tell how far it is", async () => {
    assert.equal((await eth.sendTransaction({ from: owner, to: STRANGER, value: 1 })).status, 1n);
    const seen = [];
    const sending = eth.sendTransaction({ from: unlocked, to: STRANGER, value: 1 });
    for (const event of ["sending", "sent", "transactionHash", "receipt"]) sending.on(event, () => seen.push(event));
    assert.equal((await sending).status, 1n);
    assert.deepEqual(seen, ["sending", "sent", "transactionHash", "receipt"]);
  });
  await tried("a contract is written, read and says why it refuses", async () => {
    const receipt = await token.methods.mint(owner, 5).send({ from: owner });
    assert.equal(receipt.events.Transfer.returnValues.value, 5n);
    assert.equal(await token.methods.balanceOf(owner).call(), 5n);
    assert.equal((await token.getPastEvents("Transfer", { fromBlock: 0 })).length, 1);
    assert.match(await reasonOf(token.methods.refuse("nope").call({ from: owner })), /nope/);
    assert.match(await reasonOf(token.methods.refuse("nope").send({ from: owner })), /nope/);
    const tooMuch = token.methods.transfer(STRANGER, 10n ** 20n).call({ from: owner });
    assert.match(await reasonOf(tooMuch), /ERC20InsufficientBalance/);
  });
  await tried("whatever there is is read", async () => {
    const address = token.options.address;
    assert.ok((await eth.getBlock("pending")).gasLimit > 0n);
    const [sent] = (await eth.getBlock("latest", true)).transactions;
    assert.equal((await eth.getTransaction(sent.hash)).hash, sent.hash);
    assert.equal((await eth.getTransactionFromBlock("latest", 0)).hash, sent.hash);
    assert.equal((await eth.getProof(address, ["0x" + "02".padStart(64, "0")], "latest")).storageProof[0].value, 5n);
    assert.ok(await eth.createAccessList({ from: owner, to: address, data: token.methods.symbol().encodeABI() }));
    for (const read of ["getGasPrice", "getMaxPriorityFeePerGas", "calculateFeeData", "getNodeInfo", "getCoinbase"]) {
      assert.ok((await eth[read]()) !== undefined, read);
    }
    assert.deepEqual([await eth.net.getId(), await eth.isSyncing(), await eth.getUncle("latest", 0)], [31337n, false, null]);
    const batch = new web3.BatchRequest();
    const asked = ["eth_chainId", "eth_blockNumber"].map((method) => batch.add({ jsonrpc: "2.0", method, params: [] }));
    await batch.execute();
    assert.equal(await asked[0], "0x7a69");
  });
  await tried("unlocked accounts sign", async () => {
    const signature = await eth.sign(web3.utils.utf8ToHex("hi"), unlocked);
    assert.equal(eth.accounts.recover("hi", signature.signature ?? signature), unlocked);
    assert.equal((await eth.signTypedData(unlocked, TYPED)).length, 132);
  });
  if (name === "socket") {
    await tried("subscriptions tell of blocks, logs and pending transactions", async () => {
      const asked = [["newHeads"], ["logs", { address: token.options.address }], ["newPendingTransactions"]];
      const heard = [];
      for (const [kind, options] of asked) {
        const subscription = await eth.subscribe(kind, options);
        heard.push(new Promise((resolve, reject) => (subscription.on("data", resolve), subscription.on("error", reject))));
      }
      await token.methods.mint(owner, 5).send({ from: owner });
      await Promise.all(heard);
      await eth.clearSubscriptions();
    });
    web3.provider.disconnect();
  }
}
report();
