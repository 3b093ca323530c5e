// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

/// Work that is all computation: `rounds` dependent hashes, one slot written per caller.
contract KeccakLoop {
    mapping(address caller => bytes32) public last;

    function hash(bytes32 seed, uint256 rounds) public pure returns (bytes32 digest) {
        digest = seed;
        for (uint256 i = 0; i < rounds; ++i) {
            digest = keccak256(abi.encode(digest, i));
        }
    }

    function run(uint256 rounds) external {
        last[msg.sender] = hash(last[msg.sender], rounds);
    }
}
