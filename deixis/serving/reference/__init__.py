"""The page at `/docs`: every address of the API with what it takes and gives, written from the OpenAPI document."""
