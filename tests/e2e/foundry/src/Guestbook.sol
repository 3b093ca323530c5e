// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

/// The last greeting of each guest.
contract Guestbook {
    error NothingToSay(address guest);

    event Signed(address indexed guest, string greeting);

    string public title;
    mapping(address guest => string) public greetings;

    constructor(string memory title_) payable {
        title = title_;
    }

    function sign(string calldata greeting) external {
        if (bytes(greeting).length == 0) revert NothingToSay(msg.sender);
        greetings[msg.sender] = greeting;
        emit Signed(msg.sender, greeting);
    }
}
