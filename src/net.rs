//! UDP sockets: set-up, batches, steering. Imports nothing of ours.
