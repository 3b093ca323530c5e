// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

interface Vm {
    struct EthGetLogs {
        address emitter;
        bytes32[] topics;
        bytes data;
        bytes32 blockHash;
        uint64 blockNumber;
        bytes32 transactionHash;
        uint64 transactionIndex;
        uint256 logIndex;
        bool removed;
    }

    function load(address account, bytes32 slot) external view returns (bytes32);
    function store(address account, bytes32 slot, bytes32 value) external;
    function prank(address sender) external;
    function expectRevert(bytes calldata data) external;
    function envAddress(string calldata name) external view returns (address);
    function envBytes32(string calldata name) external view returns (bytes32);
    function envString(string calldata name) external view returns (string memory);
    function envUint(string calldata name) external view returns (uint256);
    function createFork(string calldata url) external returns (uint256);
    function createSelectFork(string calldata url, uint256 number) external returns (uint256);
    function selectFork(uint256 fork) external;
    function rollFork(uint256 number) external;
    function rollFork(bytes32 transaction) external;
    function transact(bytes32 transaction) external;
    function rpc(string calldata method, string calldata params) external returns (bytes memory);
    function eth_getLogs(uint256 from, uint256 to, address emitter, bytes32[] calldata topics)
        external
        returns (EthGetLogs[] memory);
}

interface Token {
    function totalSupply() external view returns (uint256);
    function balanceOf(address owner) external view returns (uint256);
    function mint(address to, uint256 amount) external;
    function transfer(address to, uint256 amount) external returns (bool);
    function refuse(string calldata reason) external;
}

/// On a fork of a chain where HOLDER was minted 10 in block EARLY and 20 in the next one, by the transaction LATE.
contract ForkTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bytes32 private constant SUPPLY = bytes32(uint256(2));

    Token private token;
    address private holder;
    uint256 private early;

    function setUp() external {
        token = Token(vm.envAddress("TOKEN"));
        holder = vm.envAddress("HOLDER");
        early = vm.envUint("EARLY");
    }

    function testStateIsRead() external view {
        require(block.chainid == 31337 && address(token).code.length > 0);
        require(token.totalSupply() == 30 && uint256(vm.load(address(token), SUPPLY)) == 30);
        require(blockhash(block.number - 1) != 0 && holder.balance > 0);
    }

    function testStateIsWritten() external {
        vm.store(address(token), SUPPLY, bytes32(uint256(77)));
        token.mint(address(this), 3);
        require(token.totalSupply() == 80);
        vm.prank(holder);
        token.transfer(address(1), 5);
        require(token.balanceOf(holder) == 25);
        vm.expectRevert(abi.encodeWithSignature("Error(string)", "not on a Sunday"));
        token.refuse("not on a Sunday");
    }

    function testOtherBlocksAreForked() external {
        uint256 old = vm.createSelectFork(vm.envString("CHAIN"), early);
        require(token.totalSupply() == 10 && block.number == early);
        vm.selectFork(vm.createFork(vm.envString("CHAIN")));
        require(token.totalSupply() == 30);
        vm.selectFork(old);
        require(token.totalSupply() == 10);
        vm.rollFork(early + 1);
        require(token.totalSupply() == 30);
    }

    function testATransactionIsRunAgain() external {
        vm.createSelectFork(vm.envString("CHAIN"), early);
        vm.rollFork(vm.envBytes32("LATE"));
        require(token.totalSupply() == 10);
        vm.transact(vm.envBytes32("LATE"));
        require(token.totalSupply() == 30);
    }

    function testTheChainIsAsked() external {
        vm.createSelectFork(vm.envString("CHAIN"), early);
        require(uint256(bytes32(vm.rpc("eth_chainId", "[]")) >> 240) == 31337);
        require(vm.eth_getLogs(0, early + 1, address(token), new bytes32[](0)).length == 2);
    }

    function testFuzzMinting(address who, uint64 amount) external {
        if (who == address(0)) return;
        uint256 before = token.balanceOf(who);
        token.mint(who, amount);
        require(token.balanceOf(who) == before + amount);
    }
}
