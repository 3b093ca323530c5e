// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

import {Summing} from "../src/Summing.sol";

interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
    function envUint(string calldata name) external view returns (uint256);
}

/// Deploys a contract with its library at an address that follows from a salt, and one beside it; then calls both.
contract Sum {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    bool public constant IS_SCRIPT = true;

    function run() external returns (Summing salted, Summing summing) {
        vm.startBroadcast();
        salted = new Summing{salt: bytes32(vm.envUint("TANDEM_TEST_SALT"))}();
        summing = new Summing();
        for (uint256 n = 1; n < 6; n++) summing.add(n);
        salted.add(3);
        payable(address(0xbeef)).transfer(5);
        vm.stopBroadcast();
    }
}
