"""The studio: the web app in `static/`, compiled from `studio/` of the repository, and what it asks of the server."""
