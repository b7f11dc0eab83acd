"""OneLLM (Han et al., CVPR 2024)."""
