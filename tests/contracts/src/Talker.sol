// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {console} from "hardhat/console.sol";

/// Says what it does, by Hardhat's library.
contract Talker {
    uint256 public count;

    function add(string calldata name, uint256 amount) external {
        count += amount;
        console.log("%s adds %d, which makes %d", name, amount, count);
        console.log(msg.sender, count > amount);
        console.logInt(-5);
        console.logBytes4(msg.sig);
    }

    function peek() external view returns (uint256) {
        console.log("peeked at", count);
        return count;
    }

    function fail(string calldata why) external pure {
        console.log("about to fail:", why);
        revert(why);
    }
}
