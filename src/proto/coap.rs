//! CoAP: messages, exchanges, block-wise transfer, observation, pacing (RFC 7252, 7641, 7959).
