// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

/// What a contract inherits comes first in its storage.
contract Ledger {
    mapping(address => uint256) internal _balances;
    bool internal paused;
    uint8 internal level;

    function credit(address to, uint256 amount) external {
        _balances[to] = amount;
    }

    function pause(bool value) external {
        paused = value;
    }

    function rise(uint8 value) external {
        level = value;
    }
}

/// One variable of every kind that storage has, and a function that changes it.
contract Shelves is Ledger {
    enum Color {
        Red,
        Green,
        Blue
    }
    type Id is uint64;

    struct Player {
        address owner;
        uint64 score;
        uint32 lives;
        string name;
        uint256[] history;
        mapping(bytes4 => bool) may;
    }

    struct Point {
        uint128 x;
        uint128 y;
    }

    Color internal color;
    address internal owner;
    Player[] internal players;
    Player[2] internal seats;
    mapping(uint256 => Player) internal byNumber;
    mapping(address => mapping(address => uint256)) internal allowance;
    mapping(string => uint256) internal byName;
    mapping(bytes => uint256) internal byBytes;
    mapping(Color => uint256) internal byColor;
    mapping(Ledger => uint256) internal byLedger;
    mapping(int8 => uint256) internal byInt;
    mapping(bool => uint256) internal byBool;
    mapping(bytes4 => uint256) internal bySelector;
    mapping(Id => uint256) internal byId;
    uint8[40] internal cells;
    uint16[] internal dense;
    uint8[3][2] internal grid;
    uint256[][] internal matrix;
    Point[] internal points;
    string[] internal words;
    string internal title;
    bytes internal blob;
    mapping(address => uint256[]) internal lists;
    int256 internal signed;

    constructor() {
        for (uint256 i; i < 5; ++i) {
            players.push().history.push();
            dense.push();
            points.push();
            words.push();
            matrix.push().push();
        }
    }

    function paint(Color value) external {
        color = value;
    }

    function own(address value) external {
        owner = value;
    }

    function score(uint256 player, uint64 value) external {
        players[player].score = value;
    }

    function scoreAndLives(uint256 player, uint64 value, uint32 lives) external {
        players[player].score = value;
        players[player].lives = lives;
    }

    function rename(uint256 player, string calldata value) external {
        players[player].name = value;
    }

    function remember(uint256 player, uint256 value) external {
        players[player].history[0] = value;
    }

    function join() external {
        players.push();
    }

    function allow(uint256 player, bytes4 selector) external {
        players[player].may[selector] = true;
    }

    function sit(uint256 seat, address who) external {
        seats[seat].owner = who;
    }

    function number(uint256 key, uint32 lives) external {
        byNumber[key].lives = lives;
    }

    function approve(address from, address spender, uint256 value) external {
        allowance[from][spender] = value;
    }

    function keyed(string calldata key, uint256 value) external {
        byName[key] = value;
    }

    function keyedByBytes(bytes calldata key, uint256 value) external {
        byBytes[key] = value;
    }

    function keyedByColor(Color key, uint256 value) external {
        byColor[key] = value;
    }

    function keyedByLedger(Ledger key, uint256 value) external {
        byLedger[key] = value;
    }

    function keyedByInt(int8 key, uint256 value) external {
        byInt[key] = value;
    }

    function keyedByBool(bool key, uint256 value) external {
        byBool[key] = value;
    }

    function keyedBySelector(bytes4 key, uint256 value) external {
        bySelector[key] = value;
    }

    function keyedById(Id key, uint256 value) external {
        byId[key] = value;
    }

    function cell(uint256 index, uint8 value) external {
        cells[index] = value;
    }

    function fill(uint8 value) external {
        for (uint256 i; i < 32; ++i) cells[i] = value;
    }

    function put(uint256 index, uint16 value) external {
        dense[index] = value;
    }

    function plot(uint256 row, uint256 column, uint8 value) external {
        grid[row][column] = value;
    }

    function set(uint256 row, uint256 column, uint256 value) external {
        matrix[row][column] = value;
    }

    function move(uint256 index, uint128 y) external {
        points[index].y = y;
    }

    function say(uint256 index, string calldata value) external {
        words[index] = value;
    }

    function entitle(string calldata value) external {
        title = value;
    }

    function store(bytes calldata value) external {
        blob = value;
    }

    function list(address who, uint256 value) external {
        lists[who].push(value);
    }

    function sign(int256 value) external {
        signed = value;
    }
}

/// Storage where a name's hash says: ERC-7201's, EIP-1967's, and by a hash of its own.
contract Namespaced {
    struct ERC20Storage {
        mapping(address => uint256) balances;
        mapping(address => mapping(address => uint256)) allowances;
        uint256 totalSupply;
    }

    function supply(uint256 value) external {
        _openzeppelin().totalSupply = value;
    }

    function credit(address to, uint256 value) external {
        _openzeppelin().balances[to] = value;
    }

    function upgrade(address implementation) external {
        assembly ("memory-safe") {
            sstore(0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc, implementation)
        }
    }

    function byText(string calldata name, address key, uint256 value) external {
        ERC20Storage storage chosen;
        bytes32 slot = keccak256(bytes(name));
        assembly ("memory-safe") {
            chosen.slot := slot
        }
        chosen.balances[key] = value;
    }

    /// Vyper hashes the slot first.
    function byVyper(address key, uint256 value) external {
        bytes32 slot = keccak256(abi.encode(uint256(7), key));
        assembly ("memory-safe") {
            sstore(slot, value)
        }
    }

    function _openzeppelin() private pure returns (ERC20Storage storage found) {
        assembly ("memory-safe") {
            found.slot := 0x52c63247e1f47db19d5ce0460030c497f067ca4cebf71ba98eeadabe20bace00
        }
    }
}
