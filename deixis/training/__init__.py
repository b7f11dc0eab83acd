"""Training: losses by stage, batches generated from the world, recipes, and one loop on transformers' Trainer."""
