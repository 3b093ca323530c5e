// What viem simulates, pretends and waits for: node simulating_with_viem.mjs HTTP_URL PRIVATE_KEY TOKEN_ARTIFACT.
// Prints one JSON object.
import { readFileSync } from "node:fs";
import { createPublicClient, createWalletClient, http, parseEther, toHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { foundry } from "viem/chains";

const [httpUrl, privateKey, artifactPath] = process.argv.slice(2);
const { abi, bytecode } = JSON.parse(readFileSync(artifactPath, "utf8"));
const account = privateKeyToAccount(privateKey);
const client = createPublicClient({ chain: foundry, transport: http(httpUrl) });
const wallet = createWalletClient({ account, chain: foundry, transport: http(httpUrl) });
const stranger = "0x9999999999999999999999999999999999999999";

const created = await wallet.sendTransactionSync({ data: bytecode.object ?? bytecode, gas: 3_000_000n });
const token = { address: created.contractAddress, abi };

const blocks = await client.simulateBlocks({
  traceTransfers: true,
  blocks: [
    {
      stateOverrides: [{ address: stranger, balance: parseEther("10") }],
      calls: [{ account: stranger, to: account.address, value: parseEther("3") }],
    },
    { blockOverrides: { feeRecipient: stranger }, calls: [{ account: stranger, to: stranger }] },
  ],
});
const { assetChanges } = await client.simulateCalls({
  account: account.address,
  traceAssetChanges: true,
  calls: [{ to: stranger, value: 7n }],
});
const { accessList } = await client.createAccessList({ account: account.address, to: token.address, data: "0xd09de08a" });
const pretended = await client.call({
  to: stranger,
  stateOverride: [{ address: stranger, code: "0x5f545f5260205ff3", stateDiff: [{ slot: toHex(0, { size: 32 }), value: toHex(5, { size: 32 }) }] }],
});
console.log(
  JSON.stringify({
    created: created.status,
    blocks: blocks.length,
    transferred: BigInt(blocks[0].calls[0].logs[0].data).toString(),
    statuses: [blocks[0].calls[0].status, blocks.at(-1).calls[0].status],
    ether: assetChanges.map((change) => change.value.diff.toString()),
    touched: accessList.every((entry) => entry.address === token.address.toLowerCase()),
    pretended: Number(pretended.data),
    blobBaseFee: (await client.getBlobBaseFee()).toString(),
  }),
);
