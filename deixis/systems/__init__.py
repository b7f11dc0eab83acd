"""What is peculiar to each published system, one room per system, under the same file names."""
