"""LISA (Lai et al., CVPR 2024)."""
