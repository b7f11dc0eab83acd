"""Signal tokenizers: from a prepared tensor to tokens at positions, and PointMLP, on which one of them stands."""
