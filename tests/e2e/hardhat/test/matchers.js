// Hardhat's chai matchers for ethers, and its assertions for viem.
import { expect } from "chai";
import { network } from "hardhat";

const { ethers, networkHelpers: helpers, viem } = await network.create();
const STRANGER = "0x9999999999999999999999999999999999999997";

async function deployed() {
  const [owner, guest] = await ethers.getSigners();
  return { jar: await ethers.deployContract("Jar"), complaints: await ethers.deployContract("Complaints"), owner, guest };
}

describe("chai matchers", () => {
  let jar, complaints, owner, guest;
  beforeEach(async () => ({ jar, complaints, owner, guest } = await helpers.loadFixture(deployed)));

  it("a reason is read from an estimate, a call and a receipt", async () => {
    await expect(jar.connect(guest).seal()).to.be.revertedWith("not the owner");
    await expect(jar.connect(guest).seal.staticCall()).to.be.revertedWith("not the owner");
    await expect(jar.connect(guest).seal({ gasLimit: 100_000 })).to.be.revertedWith("not the owner");
    await expect(jar.seal()).to.not.revert(ethers);
    await expect(jar.drop({ value: 1 })).to.be.revertedWithCustomError(jar, "Sealed").withArgs(owner);
  });

  it("custom errors have their arguments, panics their code, and nothing is nothing", async () => {
    const refusal = [7, "seven", owner.address];
    await expect(complaints.refuse()).to.be.revertedWithCustomError(complaints, "Refused").withArgs(...refusal);
    await expect(complaints.divide(0)).to.be.revertedWithPanic(0x12);
    await expect(complaints.fail()).to.be.revertedWithoutReason(ethers);
  });

  it("events have their arguments", async () => {
    await expect(complaints.hear()).to.emit(complaints, "Heard").withArgs(owner, 3, "three", [0, 0]);
    await expect(jar.drop({ value: 5 })).to.emit(jar, "Dropped").withArgs(owner, 5, 5);
    await expect(jar.drop({ value: 5 })).to.not.emit(complaints, "Heard");
  });

  it("balances change by what was sent", async () => {
    const paid = owner.sendTransaction({ to: guest, value: 200 });
    await expect(paid).to.changeEtherBalances(ethers, [owner, guest], [-200, 200]);
    await expect(() => jar.connect(guest).drop({ value: 7 })).to.changeEtherBalance(ethers, jar, 7);
  });
});

describe("viem's assertions", () => {
  it("hold without waiting for receipts", async () => {
    const jar = await viem.deployContract("Jar");
    const [owner, guest] = await viem.getWalletClients();
    const me = ethers.getAddress(owner.account.address);
    await viem.assertions.emitWithArgs(jar.write.drop({ value: 4n }), jar, "Dropped", [me, 4n, 4n]);
    await viem.assertions.revertWith(jar.write.seal({ account: guest.account }), "not the owner");
    const payment = owner.sendTransaction({ to: STRANGER, value: 5n });
    await viem.assertions.balancesHaveChanged(payment, [{ address: STRANGER, amount: 5n }]);
    await jar.write.seal();
    await viem.assertions.revertWithCustomErrorWithArgs(jar.write.drop({ value: 4n }), jar, "Sealed", [me]);
  });

  it("clients read, mine and set", async () => {
    const [reader, tester] = [await viem.getPublicClient(), await viem.getTestClient()];
    const { contract, deploymentTransaction } = await viem.sendDeploymentTransaction("Jar");
    const receipt = await reader.waitForTransactionReceipt({ hash: deploymentTransaction.hash });
    expect(receipt.contractAddress).to.equal(contract.address.toLowerCase());
    await tester.setBalance({ address: STRANGER, value: 9n });
    expect(await reader.getBalance({ address: STRANGER })).to.equal(9n);
  });
});
