"""Training: losses by stage, batches drawn from the world, recipes, and one loop on transformers' Trainer."""
