// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

/// One slot that every caller writes: the worst case for parallel execution.
contract Counter {
    event Incremented(address indexed by, uint256 value);

    uint256 public value;

    function increment() external returns (uint256) {
        value += 1;
        emit Incremented(msg.sender, value);
        return value;
    }
}
