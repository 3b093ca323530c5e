// Prints what hardhat_metadata answers, here and on Hardhat's own network, as one JSON object.
import { network } from "hardhat";

async function metadata(name) {
  const { provider } = await network.create(name);
  return { metadata: await provider.request({ method: "hardhat_metadata" }), automine: await provider.request({ method: "hardhat_getAutomine" }) };
}

console.log(JSON.stringify({ here: await metadata("unlocked"), hardhat: await metadata("default") }));
