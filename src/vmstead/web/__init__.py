"""HTTP and WebSocket: the transport, and nothing that a use case would know of."""
