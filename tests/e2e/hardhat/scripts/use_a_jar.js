// Deploys a contract, uses it and prints what Hardhat saw, as one JSON object.
import { network } from "hardhat";

const { ethers } = await network.create();

async function failureOf(attempt) {
  try {
    await attempt;
  } catch (error) {
    return error;
  }
  throw new Error("it was to fail");
}

const [owner, guest] = await ethers.getSigners();
const jar = await ethers.deployContract("Jar");
await jar.waitForDeployment();

const receipt = await (await jar.connect(guest).drop({ value: 5n })).wait();
const [event] = await jar.queryFilter(jar.filters.Dropped(guest.address), receipt.blockNumber);
const strangersSeal = (await failureOf(jar.connect(guest).seal())).message;
const emptyHand = (await failureOf(jar.drop.staticCall({ value: 0n }))).message;
await (await jar.seal()).wait();
const afterSeal = jar.interface.parseError((await failureOf(jar.drop.staticCall({ value: 1n }))).data);

console.log(
  JSON.stringify({
    owner: owner.address,
    guest: guest.address,
    ownerInContract: await jar.owner(),
    status: receipt.status,
    event: { from: event.args.from, amount: String(event.args.amount), total: String(event.args.total) },
    total: String(await jar.total()),
    balance: String(await ethers.provider.getBalance(jar)),
    strangersSeal,
    emptyHand,
    afterSeal: { name: afterSeal.name, args: [...afterSeal.args] },
  }),
);
