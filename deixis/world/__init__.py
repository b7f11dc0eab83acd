"""The generated world: seeded scenes as pictures, clouds and sounds, with questions, answers and the truth of both."""
