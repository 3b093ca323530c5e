// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Factory} from "./Factory.sol";
import {Pair} from "./Pair.sol";

/// What a dapp calls instead of the pairs: pays in and asks in one transaction.
contract Router {
    using SafeERC20 for IERC20;

    error Expired(uint256 deadline, uint256 timestamp);
    error NoPair(address tokenA, address tokenB);
    error PathTooShort();
    error InsufficientOutput(uint256 amount, uint256 minimum);

    Factory public immutable factory;

    constructor(Factory factory_) {
        factory = factory_;
    }

    modifier ensure(uint256 deadline) {
        if (block.timestamp > deadline) revert Expired(deadline, block.timestamp);
        _;
    }

    function addLiquidity(address tokenA, address tokenB, uint256 amountA, uint256 amountB, address to, uint256 deadline)
        external
        ensure(deadline)
        returns (uint256 liquidity)
    {
        address pair = factory.getPair(tokenA, tokenB);
        if (pair == address(0)) pair = factory.createPair(tokenA, tokenB);
        IERC20(tokenA).safeTransferFrom(msg.sender, pair, amountA);
        IERC20(tokenB).safeTransferFrom(msg.sender, pair, amountB);
        liquidity = Pair(pair).mint(to);
    }

    function swapExactTokensForTokens(
        uint256 amountIn,
        uint256 amountOutMin,
        address[] calldata path,
        address to,
        uint256 deadline
    ) external ensure(deadline) returns (uint256[] memory amounts) {
        amounts = getAmountsOut(amountIn, path);
        uint256 last = amounts[amounts.length - 1];
        if (last < amountOutMin) revert InsufficientOutput(last, amountOutMin);
        IERC20(path[0]).safeTransferFrom(msg.sender, _pair(path[0], path[1]), amountIn);
        for (uint256 i = 0; i + 1 < path.length; ++i) {
            Pair pair = Pair(_pair(path[i], path[i + 1]));
            address next = i + 2 < path.length ? _pair(path[i + 1], path[i + 2]) : to;
            (uint256 out0, uint256 out1) =
                path[i] == pair.token0() ? (uint256(0), amounts[i + 1]) : (amounts[i + 1], uint256(0));
            pair.swap(out0, out1, next);
        }
    }

    function getAmountsOut(uint256 amountIn, address[] calldata path) public view returns (uint256[] memory amounts) {
        if (path.length < 2) revert PathTooShort();
        amounts = new uint256[](path.length);
        amounts[0] = amountIn;
        for (uint256 i = 0; i + 1 < path.length; ++i) {
            Pair pair = Pair(_pair(path[i], path[i + 1]));
            (uint112 reserve0, uint112 reserve1,) = pair.getReserves();
            (uint256 reserveIn, uint256 reserveOut) =
                path[i] == pair.token0() ? (reserve0, reserve1) : (reserve1, reserve0);
            uint256 paid = amounts[i] * 997;
            amounts[i + 1] = (paid * reserveOut) / (reserveIn * 1000 + paid);
        }
    }

    function _pair(address tokenA, address tokenB) private view returns (address pair) {
        pair = factory.getPair(tokenA, tokenB);
        if (pair == address(0)) revert NoPair(tokenA, tokenB);
    }
}
