// viem against a node: node with_viem.mjs HTTP_URL WS_URL PRIVATE_KEY TOKEN_ARTIFACT. Prints one JSON object.
import { readFileSync } from "node:fs";
import { BaseError, ContractFunctionRevertedError, createPublicClient, createWalletClient, http, webSocket } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { foundry } from "viem/chains";

const [httpUrl, wsUrl, privateKey, artifactPath] = process.argv.slice(2);
const { abi, bytecode } = JSON.parse(readFileSync(artifactPath, "utf8"));
const account = privateKeyToAccount(privateKey);
const client = createPublicClient({ chain: foundry, transport: http(httpUrl), pollingInterval: 50 });
const wallet = createWalletClient({ account, chain: foundry, transport: http(httpUrl) });
const socket = createPublicClient({ chain: foundry, transport: webSocket(wsUrl) });

const created = await wallet.deployContract({ abi, bytecode, args: ["Gold", "GLD"] });
const { contractAddress: address } = await client.waitForTransactionReceipt({ hash: created });
const token = { address, abi };
let stopWatching;
const seen = new Promise((resolve, reject) => {
  stopWatching = socket.watchContractEvent({
    ...token, eventName: "Transfer", onLogs: ([log]) => resolve(log.args.value.toString()), onError: reject,
  });
});
// The subscription was asked for first, and a socket is answered in order.
await socket.getBlockNumber();

const { request } = await client.simulateContract({ ...token, account, functionName: "mint", args: [account.address, 1234n] });
const receipt = await client.waitForTransactionReceipt({ hash: await wallet.writeContract(request) });
const balance = (await client.readContract({ ...token, functionName: "balanceOf", args: [account.address] })).toString();

async function refusal(functionName, args) {
  try {
    await client.simulateContract({ ...token, account, functionName, args });
  } catch (error) {
    return error instanceof BaseError && error.walk((cause) => cause instanceof ContractFunctionRevertedError);
  }
}
const { data } = await refusal("transfer", [address, 5000n]);
const { reason } = await refusal("refuse", ["not on a Sunday"]);
const fees = await client.estimateFeesPerGas();
const event = await seen;
console.log(
  JSON.stringify({
    network: await client.getChainId(), balance, status: receipt.status === "success" ? 1 : 0, event,
    customError: { name: data.errorName, args: data.args.map(String) }, reason,
    hasFees: fees.maxFeePerGas > 0n && fees.maxPriorityFeePerGas > 0n,
    address, wallet: account.address,
  }),
);
stopWatching();
process.exit(0);
