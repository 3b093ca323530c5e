// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

import {Pair} from "./Pair.sol";

/// Makes one constant-product pair per two tokens, at an address that CREATE2 fixes in advance.
contract Factory {
    error IdenticalTokens(address token);
    error ZeroToken();
    error PairExists(address pair);

    event PairCreated(address indexed token0, address indexed token1, address pair, uint256 pairCount);

    mapping(address tokenA => mapping(address tokenB => address pair)) public getPair;
    address[] public allPairs;

    function allPairsLength() external view returns (uint256) {
        return allPairs.length;
    }

    function createPair(address tokenA, address tokenB) external returns (address pair) {
        if (tokenA == tokenB) revert IdenticalTokens(tokenA);
        (address token0, address token1) = tokenA < tokenB ? (tokenA, tokenB) : (tokenB, tokenA);
        if (token0 == address(0)) revert ZeroToken();
        if (getPair[token0][token1] != address(0)) revert PairExists(getPair[token0][token1]);

        // The salt, not the constructor, carries the tokens: the init code hash is then the same for every pair.
        pair = address(new Pair{salt: keccak256(abi.encodePacked(token0, token1))}());
        Pair(pair).initialize(token0, token1);
        getPair[token0][token1] = pair;
        getPair[token1][token0] = pair;
        allPairs.push(pair);
        emit PairCreated(token0, token1, pair, allPairs.length);
    }
}
