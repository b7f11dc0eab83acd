"""LLaVA's conventions, which Ferret and LISA share: templates, label rule, CLIP and Llama weights."""
