// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// A constant-product market after Uniswap V2: liquidity shares are this contract's own ERC-20, a swap costs 0.3 %,
/// and callers pay first and then ask, because the pair reads what it received from its own balances.
contract Pair is ERC20 {
    using SafeERC20 for IERC20;

    error AlreadyInitialized();
    error NotFactory(address caller);
    error Locked();
    error ReserveOverflow(uint256 balance);
    error InsufficientLiquidityMinted();
    error InsufficientLiquidityBurned();
    error InsufficientOutputAmount();
    error InsufficientInputAmount();
    error InsufficientLiquidity(uint256 wanted, uint256 reserve);
    error InvalidRecipient(address recipient);
    error ProductShrank(uint256 before, uint256 afterwards);

    event Mint(address indexed sender, uint256 amount0, uint256 amount1);
    event Burn(address indexed sender, uint256 amount0, uint256 amount1, address indexed to);
    event Swap(
        address indexed sender,
        uint256 amount0In,
        uint256 amount1In,
        uint256 amount0Out,
        uint256 amount1Out,
        address indexed to
    );
    event Sync(uint112 reserve0, uint112 reserve1);

    /// Shares that nobody can ever redeem, so that the price of one share cannot be inflated by the first depositor.
    uint256 public constant MINIMUM_LIQUIDITY = 1000;
    address private constant DEAD = address(0xdead);

    address public immutable factory;
    address public token0;
    address public token1;

    // The three share a slot: a swap then costs one read and one write of it.
    uint112 private reserve0;
    uint112 private reserve1;
    uint32 private blockTimestampLast;

    uint256 private unlocked = 1;

    modifier lock() {
        if (unlocked != 1) revert Locked();
        unlocked = 2;
        _;
        unlocked = 1;
    }

    constructor() ERC20("Pair share", "SHARE") {
        factory = msg.sender;
    }

    function initialize(address token0_, address token1_) external {
        if (msg.sender != factory) revert NotFactory(msg.sender);
        if (token0 != address(0)) revert AlreadyInitialized();
        token0 = token0_;
        token1 = token1_;
    }

    function getReserves() public view returns (uint112, uint112, uint32) {
        return (reserve0, reserve1, blockTimestampLast);
    }

    function mint(address to) external lock returns (uint256 liquidity) {
        (uint256 balance0, uint256 balance1) = _balances();
        uint256 amount0 = balance0 - reserve0;
        uint256 amount1 = balance1 - reserve1;
        uint256 supply = totalSupply();
        if (supply == 0) {
            uint256 root = Math.sqrt(amount0 * amount1);
            if (root <= MINIMUM_LIQUIDITY) revert InsufficientLiquidityMinted();
            liquidity = root - MINIMUM_LIQUIDITY;
            _mint(DEAD, MINIMUM_LIQUIDITY);
        } else {
            liquidity = Math.min((amount0 * supply) / reserve0, (amount1 * supply) / reserve1);
            if (liquidity == 0) revert InsufficientLiquidityMinted();
        }
        _mint(to, liquidity);
        _sync(balance0, balance1);
        emit Mint(msg.sender, amount0, amount1);
    }

    function burn(address to) external lock returns (uint256 amount0, uint256 amount1) {
        (uint256 balance0, uint256 balance1) = _balances();
        uint256 liquidity = balanceOf(address(this));
        uint256 supply = totalSupply();
        if (supply == 0) revert InsufficientLiquidityBurned();
        amount0 = (liquidity * balance0) / supply;
        amount1 = (liquidity * balance1) / supply;
        if (amount0 == 0 || amount1 == 0) revert InsufficientLiquidityBurned();
        _burn(address(this), liquidity);
        IERC20(token0).safeTransfer(to, amount0);
        IERC20(token1).safeTransfer(to, amount1);
        (balance0, balance1) = _balances();
        _sync(balance0, balance1);
        emit Burn(msg.sender, amount0, amount1, to);
    }

    function swap(uint256 amount0Out, uint256 amount1Out, address to) external lock {
        if (amount0Out == 0 && amount1Out == 0) revert InsufficientOutputAmount();
        if (amount0Out >= reserve0) revert InsufficientLiquidity(amount0Out, reserve0);
        if (amount1Out >= reserve1) revert InsufficientLiquidity(amount1Out, reserve1);
        if (to == token0 || to == token1) revert InvalidRecipient(to);

        if (amount0Out > 0) IERC20(token0).safeTransfer(to, amount0Out);
        if (amount1Out > 0) IERC20(token1).safeTransfer(to, amount1Out);
        (uint256 balance0, uint256 balance1) = _balances();
        uint256 amount0In = _received(balance0, reserve0, amount0Out);
        uint256 amount1In = _received(balance1, reserve1, amount1Out);
        if (amount0In == 0 && amount1In == 0) revert InsufficientInputAmount();
        _requireProduct(balance0, balance1, amount0In, amount1In);
        _sync(balance0, balance1);
        emit Swap(msg.sender, amount0In, amount1In, amount0Out, amount1Out, to);
    }

    function _balances() private view returns (uint256, uint256) {
        return (IERC20(token0).balanceOf(address(this)), IERC20(token1).balanceOf(address(this)));
    }

    function _received(uint256 balance, uint256 reserve, uint256 amountOut) private pure returns (uint256) {
        uint256 expected = reserve - amountOut;
        return balance > expected ? balance - expected : 0;
    }

    /// x * y may not fall, counting only 99.7 % of what came in.
    function _requireProduct(uint256 balance0, uint256 balance1, uint256 in0, uint256 in1) private view {
        uint256 afterwards = (balance0 * 1000 - in0 * 3) * (balance1 * 1000 - in1 * 3);
        uint256 before = uint256(reserve0) * uint256(reserve1) * 1000 ** 2;
        if (afterwards < before) revert ProductShrank(before, afterwards);
    }

    function _sync(uint256 balance0, uint256 balance1) private {
        if (balance0 > type(uint112).max) revert ReserveOverflow(balance0);
        if (balance1 > type(uint112).max) revert ReserveOverflow(balance1);
        reserve0 = uint112(balance0);
        reserve1 = uint112(balance1);
        blockTimestampLast = uint32(block.timestamp);
        emit Sync(reserve0, reserve1);
    }
}
