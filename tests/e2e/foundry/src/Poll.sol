// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

/// Everyone votes on the same few topics.
contract Poll {
    struct Ballot {
        uint64 yes;
        uint64 no;
        address last;
    }

    mapping(uint256 topic => Ballot) public ballots;

    function vote(uint256 topic, bool yes) external {
        Ballot storage ballot = ballots[topic];
        if (yes) ballot.yes += 1;
        else ballot.no += 1;
        ballot.last = msg.sender;
    }
}
