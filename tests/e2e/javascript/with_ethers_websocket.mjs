// ethers v6 over one WebSocket with the provider's defaults: node with_ethers_websocket.mjs WS_URL PRIVATE_KEY TIMES SECONDS.
// Sends and awaits transfers one after the other, as an unlocked account and with a key of its own. Prints the
// statuses of their receipts as one JSON object, or fails after so many seconds.
import { NonceManager, WebSocketProvider, Wallet } from "ethers";

const [url, privateKey, times, seconds] = process.argv.slice(2);
let waitsFor;
const deadline = setTimeout(() => {
  console.error(`no receipt of ${waitsFor} within ${seconds} s`);
  process.exit(1);
}, Number(seconds) * 1000);
const provider = new WebSocketProvider(url);

async function statuses(signer) {
  const to = await signer.getAddress();
  const seen = [];
  for (let i = 0; i < Number(times); i++) {
    const sent = await signer.sendTransaction({ to, value: 1n });
    waitsFor = sent.hash;
    seen.push((await sent.wait()).status);
  }
  return seen;
}

const unlocked = await statuses(await provider.getSigner());
// ethers keeps the nonce too for 250 ms, which is longer than a block takes here: its NonceManager counts by itself.
const ownKey = await statuses(new NonceManager(new Wallet(privateKey, provider)));
console.log(JSON.stringify({ unlocked, ownKey }));
await provider.destroy();
clearTimeout(deadline);
