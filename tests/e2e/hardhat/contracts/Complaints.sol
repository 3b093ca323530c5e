// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Every way to fail, an event with much in it, and what a contract sees of its block.
contract Complaints {
    error Refused(uint256 code, string why, address who);

    event Heard(address indexed who, uint256 indexed number, string text, uint256[] list);

    address private immutable owner = msg.sender;

    function refuse() external view {
        if (owner != address(0)) revert Refused(7, "seven", msg.sender);
    }

    function divide(uint256 by) external pure returns (uint256) {
        return 10 / by;
    }

    function fail() external pure {
        revert();
    }

    function hear() external {
        emit Heard(msg.sender, 3, "three", new uint256[](2));
    }

    function block_() external view returns (uint256 time, address leader, uint256 random) {
        return (block.timestamp, block.coinbase, block.prevrandao);
    }
}
