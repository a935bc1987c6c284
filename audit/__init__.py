"""What proves a decision log: its tree of hashes, the checkpoints over it, and bundles that anybody can verify."""
