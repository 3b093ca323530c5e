import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

export default buildModule("Jars", (module) => {
  const jar = module.contract("Jar");
  const dropped = module.call(jar, "drop", [], { value: 7n });
  module.call(jar, "seal", [], { after: [dropped] });
  return { jar };
});
