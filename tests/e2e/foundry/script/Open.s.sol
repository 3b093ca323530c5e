// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

import {Guestbook} from "../src/Guestbook.sol";

interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
}

/// Opens two guestbooks and signs both: four transactions.
contract Open {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    bool public constant IS_SCRIPT = true;

    function run() external returns (Guestbook first, Guestbook second) {
        vm.startBroadcast();
        first = new Guestbook("first");
        first.sign("hello from a script");
        second = new Guestbook{value: 5}("second");
        second.sign("and again");
        vm.stopBroadcast();
    }
}
