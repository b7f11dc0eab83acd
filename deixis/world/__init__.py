"""The generated world: seeded 3-D scenes and audio clips with exact annotations, and questions about them."""
