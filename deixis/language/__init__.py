"""English words, and the client of a language model behind an OpenAI-compatible endpoint."""
