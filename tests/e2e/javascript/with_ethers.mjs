// ethers v6 against a node: node with_ethers.mjs HTTP_URL WS_URL PRIVATE_KEY TOKEN_ARTIFACT. Prints one JSON object.
import { readFileSync } from "node:fs";
import { Contract, ContractFactory, JsonRpcProvider, WebSocketProvider, Wallet } from "ethers";

const [httpUrl, wsUrl, privateKey, artifactPath] = process.argv.slice(2);
const { abi, bytecode } = JSON.parse(readFileSync(artifactPath, "utf8"));
// ethers keeps answers, nonces among them, for 250 ms: on a chain that needs less for a block that must be off.
const provider = new JsonRpcProvider(httpUrl, undefined, { pollingInterval: 50, cacheTimeout: -1 });
const socket = new WebSocketProvider(wsUrl);
const wallet = new Wallet(privateKey, provider);

const token = await (await new ContractFactory(abi, bytecode, wallet).deploy("Gold", "GLD")).waitForDeployment();
const address = await token.getAddress();
const watched = new Contract(address, abi, socket);
let heard;
const seen = new Promise((resolve) => (heard = resolve));
await watched.once("Transfer", (from, to, value) => heard(value.toString()));
// The subscription was asked for first, and a socket is answered in order.
await socket.getBlockNumber();

const receipt = await (await token.mint(wallet.address, 1234n)).wait();
const balance = (await token.balanceOf(wallet.address)).toString();
let customError, reason;
try {
  await token.transfer.staticCall(address, 5000n);
} catch (error) {
  customError = { name: error.revert.name, args: error.revert.args.map(String) };
}
try {
  await token.refuse("not on a Sunday");
} catch (error) {
  reason = error.reason;
}
const fees = await provider.getFeeData();
const event = await seen;
const network = Number((await provider.getNetwork()).chainId);
console.log(
  JSON.stringify({
    network, balance, status: receipt.status, event, customError, reason,
    hasFees: fees.maxFeePerGas > 0n && fees.maxPriorityFeePerGas > 0n,
    address, wallet: wallet.address,
  }),
);
await socket.destroy();
provider.destroy();
