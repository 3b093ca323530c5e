// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

/// Work on memory alone: sorts as many numbers as it is asked to, made from a seed.
contract Sorter {
    uint256 public smallest;

    function sorted(uint256 seed, uint256 count) public pure returns (uint256[] memory numbers) {
        numbers = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            seed = (seed * 6364136223846793005 + 1442695040888963407) % 18446744073709551616;
            numbers[i] = seed;
        }
        for (uint256 i = 1; i < count; ++i) {
            uint256 number = numbers[i];
            uint256 j = i;
            while (j > 0 && numbers[j - 1] > number) {
                numbers[j] = numbers[j - 1];
                --j;
            }
            numbers[j] = number;
        }
    }

    function run(uint256 seed, uint256 count) external {
        smallest = sorted(seed, count)[0];
    }
}
