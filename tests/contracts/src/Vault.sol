// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

library Rates {
    /// External, so that a contract that uses it is linked with its address.
    function share(uint256 amount, uint256 rate) external pure returns (uint256) {
        return amount * rate / 100;
    }
}

/// Code that differs in each deployment: immutables, and the address of a library.
contract Vault {
    address public immutable owner;
    uint256 public immutable rate;
    mapping(address => uint256) internal shares;

    constructor(uint256 rate_) {
        owner = msg.sender;
        rate = rate_;
    }

    function put(address to, uint256 amount) external {
        shares[to] += Rates.share(amount, rate);
    }
}
