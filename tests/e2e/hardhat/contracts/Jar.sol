// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Coins of many people in one jar, which its owner may seal.
contract Jar {
    event Dropped(address indexed from, uint256 amount, uint256 total);

    error Sealed(address owner);

    address public immutable owner = msg.sender;
    bool public isSealed;
    uint256 public total;

    function drop() external payable {
        if (isSealed) revert Sealed(owner);
        require(msg.value > 0, "an empty hand");
        total += msg.value;
        emit Dropped(msg.sender, msg.value, total);
    }

    function seal() external {
        require(msg.sender == owner, "not the owner");
        isSealed = true;
    }
}
