"""The server: OpenAI's API with regions in and out, and the studio in the browser."""
