"""The storage process: sole owner of the database, with every version of the state, its tries and the chain index."""
