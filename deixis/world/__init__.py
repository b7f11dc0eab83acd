"""The generated world: signals made from a seed, with exact annotations, and questions about them."""
