"""What the use cases need of the world, as protocols with their value types. Adapters implement them."""
