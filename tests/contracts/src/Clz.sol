// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

/// Osaka's count-leading-zeros opcode (EIP-7939).
contract Clz {
    uint256 public last;

    function leadingZeros(uint256 word) public pure returns (uint256 count) {
        assembly ("memory-safe") {
            count := clz(word)
        }
    }

    function store(uint256 word) external {
        last = leadingZeros(word);
    }
}
