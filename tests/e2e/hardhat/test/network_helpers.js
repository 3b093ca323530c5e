// Hardhat's network helpers, which know a chain by its web3_clientVersion.
import { expect } from "chai";
import { network } from "hardhat";

const { ethers, networkHelpers: helpers, provider } = await network.create();
const { time } = helpers;
const STRANGER = "0x9999999999999999999999999999999999999997";

async function deployed() {
  const [owner, guest] = await ethers.getSigners();
  return { jar: await ethers.deployContract("Jar"), complaints: await ethers.deployContract("Complaints"), owner, guest };
}

async function withoutAutomine(body) {
  await provider.request({ method: "evm_setAutomine", params: [false] });
  await body();
  await provider.request({ method: "evm_setAutomine", params: [true] });
}

describe("time and blocks", () => {
  it("mine makes one block, or many some seconds apart", async () => {
    const number = await time.latestBlock();
    await helpers.mine();
    expect(await time.latestBlock()).to.equal(number + 1);
    const before = await time.latest();
    await helpers.mine(10, { interval: 15 });
    expect(await time.latestBlock()).to.equal(number + 11);
    expect((await time.latest()) - before).to.be.at.least(9 * 15);
    await helpers.mineUpTo(number + 20);
    expect(await time.latestBlock()).to.equal(number + 20);
  });

  it("the next block has the time that was set, and none before the last", async () => {
    const before = await time.latest();
    expect(await time.increase(3600)).to.be.at.least(before + 3600);
    await time.increaseTo(before + 5000);
    expect(await time.latest()).to.equal(before + 5000);
    await time.setNextBlockTimestamp(before + 6000);
    const { complaints } = await helpers.loadFixture(deployed);
    expect(await time.latest()).to.be.at.least(before + 6000);
    await time.setNextBlockTimestamp(before + 7000);
    expect((await complaints.block_({ blockTag: "pending" })).time).to.equal(before + 7000);
    await helpers.mine();
    expect((await complaints.block_()).time).to.be.at.least(before + 7000);
    await expect(time.setNextBlockTimestamp(before)).to.be.rejected;
    await expect(time.increaseTo(before)).to.be.rejected;
  });

  it("a block has the leader, randomness, fee and gas limit that were set", async () => {
    const gasLimit = (await ethers.provider.getBlock("latest")).gasLimit;
    const { complaints } = await helpers.loadFixture(deployed);
    await helpers.setCoinbase(STRANGER);
    await helpers.setPrevRandao(4242);
    await helpers.setNextBlockBaseFeePerGas(10n ** 10n);
    await helpers.setBlockGasLimit(20_000_000);
    await helpers.mine();
    const block = await ethers.provider.getBlock("latest");
    expect([block.miner, block.baseFeePerGas, block.gasLimit]).to.deep.equal([STRANGER, 10n ** 10n, 20_000_000n]);
    const seen = await complaints.block_({ blockTag: block.number });
    expect([seen.leader, seen.random]).to.deep.equal([STRANGER, 4242n]);
    await helpers.setBlockGasLimit(gasLimit);
  });
});

describe("accounts", () => {
  it("balance, code, nonce and storage are as set", async () => {
    await helpers.setBalance(STRANGER, 12345n);
    await helpers.setCode(STRANGER, "0x602a5f5260205ff3");
    await helpers.setNonce(STRANGER, 77);
    await helpers.setStorageAt(STRANGER, 5, 99);
    await helpers.setStorageAt(STRANGER, ethers.id("a slot"), 98);
    expect(await ethers.provider.getBalance(STRANGER)).to.equal(12345n);
    expect(await ethers.provider.getCode(STRANGER)).to.equal("0x602a5f5260205ff3");
    expect(await ethers.provider.getTransactionCount(STRANGER)).to.equal(77);
    expect(BigInt(await helpers.getStorageAt(STRANGER, 5))).to.equal(99n);
    expect(BigInt(await helpers.getStorageAt(STRANGER, ethers.id("a slot"), "latest"))).to.equal(98n);
    expect(BigInt(await ethers.provider.call({ to: STRANGER }))).to.equal(42n);
    await helpers.setCode(STRANGER, "0x");
  });

  it("people and contracts send while they are impersonated", async () => {
    const { complaints } = await helpers.loadFixture(deployed);
    for (const address of [STRANGER, await complaints.getAddress()]) {
      await helpers.setBalance(address, 10n ** 18n);
      const sender = await ethers.getImpersonatedSigner(address);
      expect((await (await sender.sendTransaction({ to: STRANGER, value: 1 })).wait()).from).to.equal(address);
      await helpers.stopImpersonatingAccount(address);
      await expect(sender.sendTransaction({ to: STRANGER, value: 1 })).to.be.rejected;
    }
  });
});

describe("ways back", () => {
  it("a snapshot is restored again and again", async () => {
    const number = await time.latestBlock();
    const snapshot = await helpers.takeSnapshot();
    for (const blocks of [3, 2]) {
      await helpers.mine(blocks);
      await snapshot.restore();
      expect(await time.latestBlock()).to.equal(number);
    }
  });

  it("a fixture is loaded as it was, although nothing waited for what was sent since", async () => {
    const { jar } = await helpers.loadFixture(deployed);
    await jar.seal();
    expect(await jar.isSealed()).to.equal(true);
    const again = await helpers.loadFixture(deployed);
    expect(again.jar).to.equal(jar);
    expect(await jar.isSealed()).to.equal(false);
  });
});

describe("the pool", () => {
  it("a dropped transaction is in no block", () =>
    withoutAutomine(async () => {
      const [owner] = await ethers.getSigners();
      const { hash } = await owner.sendTransaction({ to: STRANGER, value: 1 });
      expect(await helpers.dropTransaction(hash)).to.equal(true);
      expect(await helpers.dropTransaction(hash)).to.equal(false);
      await helpers.mine();
      expect(await ethers.provider.getTransactionReceipt(hash)).to.equal(null);
    }));

  it("what waits is in one block", () =>
    withoutAutomine(async () => {
      const [owner, guest] = await ethers.getSigners();
      const sent = [];
      for (const sender of [owner, owner, guest]) sent.push(await sender.sendTransaction({ to: STRANGER, value: 1 }));
      expect((await ethers.provider.getBlock("pending")).transactions).to.have.length(3);
      await helpers.mine();
      const receipts = await Promise.all(sent.map((transaction) => transaction.wait()));
      expect(new Set(receipts.map((receipt) => receipt.blockNumber)).size).to.equal(1);
    }));
});
