// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

library Sums {
    function upTo(uint256 n) external pure returns (uint256) {
        return n * (n + 1) / 2;
    }
}

/// Adds up with a library that is deployed on its own.
contract Summing {
    uint256 public sum;

    function add(uint256 n) external {
        sum += Sums.upTo(n);
    }
}
