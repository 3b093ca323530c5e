// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// An ERC-20 that anyone may mint. Transferring too much shows OpenZeppelin's custom error, `refuse` a reason string.
contract Token is ERC20 {
    event Refused(address indexed caller);

    constructor(string memory name_, string memory symbol_) ERC20(name_, symbol_) {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// Always reverts with the given reason. Not `pure`, so that a client sends it as a transaction.
    function refuse(string calldata reason) external {
        emit Refused(msg.sender);
        revert(reason);
    }
}
