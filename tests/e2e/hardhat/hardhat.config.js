import hardhatEthers from "@nomicfoundation/hardhat-ethers";
import hardhatIgnitionEthers from "@nomicfoundation/hardhat-ignition-ethers";
import { createRequire } from "node:module";

const { TANDEM_TEST_HTTP: url, TANDEM_TEST_KEYS: keys } = process.env;

export default {
  plugins: [hardhatEthers, hardhatIgnitionEthers],
  solidity: { version: "0.8.37", path: createRequire(import.meta.url).resolve("solc/soljson.js") },
  networks: {
    unlocked: { type: "http", url, accounts: "remote" },
    keys: { type: "http", url, accounts: keys.split(",") },
  },
};
