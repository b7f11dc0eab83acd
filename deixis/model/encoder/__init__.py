"""The universal encoder: signals to feature fields, and the projection of fields to language-model tokens."""
